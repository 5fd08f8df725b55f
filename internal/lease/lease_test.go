package lease

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fill(b *Buffer, content []byte) {
	for len(content) > cap(b.B) {
		b.Grow()
	}
	b.B = append(b.B, content...)
}

// lent reports whether a buffer of the pool that is asked for next is b.
func lent(p *Pool, b *Buffer) bool {
	first := &b.B[:1][0]
	next := p.Get(cap(b.B))
	return &next.B[:1][0] == first
}

func reader(b *Buffer) *Reader {
	r, err := b.Claim()()
	if err != nil {
		panic(err)
	}
	return r
}

func TestReaderAfterReturn(t *testing.T) {
	t.Parallel()
	var p Pool
	b := p.Get(10)
	fill(b, []byte("alice"))
	open := b.Claim()
	b.Release()
	if _, err := open(); !errors.Is(err, ErrReturned) {
		t.Errorf("opening a body that was given back: %v, want %v", err, ErrReturned)
	}
	for range 100 { // whichever of them gets the buffer
		next := p.Get(10)
		fill(next, []byte("bob"))
		next.Claim()
		if _, err := open(); !errors.Is(err, ErrReturned) {
			t.Fatalf("opening a body that is another's by now: %v, want %v", err, ErrReturned)
		}
	}
}

//nolint:paralleltest // sync.Pool keeps what one goroutine at a time puts there
func TestBufferComesBack(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("sync.Pool drops things at random under the race detector")
	}
	var p Pool
	body := bytes.Repeat([]byte("x"), 60<<10)
	tests := []struct {
		name string
		use  func(b *Buffer)
		want bool
	}{
		{"claimed and released", func(b *Buffer) { b.Claim(); b.Release() }, true},
		{"not claimed", func(b *Buffer) { b.Release() }, false},
		{"a reader is open", func(b *Buffer) { _, _ = b.Claim()(); b.Release() }, false},
		{"a reader was closed", func(b *Buffer) { r := reader(b); b.Release(); _ = r.Close() }, true},
		{"closed twice", func(b *Buffer) {
			b.Claim()
			r := reader(b)
			_ = r.Close()
			_ = r.Close()
			reader(b)
			b.Release()
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := p.Get(len(body))
			fill(b, body)
			tt.use(b)
			if got := lent(&p, b); got != tt.want {
				t.Errorf("the buffer is lent again: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	var p Pool
	b := p.Get(1)
	body := bytes.Repeat([]byte("0123456789"), 10_000)
	fill(b, body)
	got, err := io.ReadAll(reader(b))
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("ReadAll returned %d bytes and %v, want %d", len(got), err, len(body))
	}
	r := reader(b)
	_, _ = io.CopyN(io.Discard, r, 7)
	var out bytes.Buffer
	if n, err := r.WriteAtMost(&out, 5); n != 5 || err != nil || out.String() != "78901" {
		t.Errorf("WriteAtMost wrote %q, %d, %v", out.String(), n, err)
	}
	_ = r.Close()
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("Read after Close: %d, %v", n, err)
	}
}

// slowWriter blocks until it is told to go on.
type slowWriter struct{ entered, leave chan struct{} }

func (w slowWriter) Write(p []byte) (int, error) {
	close(w.entered)
	<-w.leave
	return len(p), nil
}

func TestCloseWhileWriting(t *testing.T) {
	t.Parallel()
	var p Pool
	b := p.Get(10)
	fill(b, []byte("0123456789"))
	r := reader(b)
	w := slowWriter{make(chan struct{}), make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = r.WriteAtMost(w, 10) })
	<-w.entered
	_ = r.Close()
	b.Release()
	b.mu.Lock()
	held := b.holders
	b.mu.Unlock()
	if held != 1 {
		t.Errorf("holders while a write is under way: %d, want 1", held)
	}
	close(w.leave)
	wg.Wait()
	if b.holders != 0 {
		t.Errorf("holders after the write: %d, want 0", b.holders)
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	var p Pool
	b := p.Get(10)
	fill(b, []byte("body"))
	ctx := With(context.Background(), b)
	if From(ctx, b.B) != b {
		t.Error("From does not find the buffer of its own body")
	}
	for name, body := range map[string][]byte{"copy": []byte("body"), "part": b.B[:2], "rest": b.B[1:], "none": nil} {
		if From(ctx, body) != nil {
			t.Errorf("From takes a %s for the body", name)
		}
	}
	if From(context.Background(), b.B) != nil {
		t.Error("From finds a buffer where there is none")
	}
}

func TestTransportSendsWhole(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	defer srv.Close()
	transport := &http.Transport{DialContext: Dialer((&net.Dialer{}).DialContext)}
	defer transport.CloseIdleConnections()
	var p Pool
	for _, size := range []int{1, 100, 4 << 10, 5 << 10, 80 << 10, 300 << 10, 3 << 20} {
		body := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		b := p.Get(size)
		fill(b, body)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, reader(b))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = int64(size)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("body of %d bytes came as %d, %v", size, len(got), err)
		}
		b.Release()
	}
}

// A buffer that has grown elsewhere is lent again to those whom it is large enough for, and to nobody else.
func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ size, class int }{
		{10, classes},
		{smallest, 0},
		{smallest + 1, 0},
		{2*smallest - 1, 0},
		{2 * smallest, 1},
		{5 * smallest, 2},
		{smallest << (classes - 1), classes - 1},
		{smallest<<(classes-1) + 1, classes},
	} {
		var p Pool
		b := p.Get(1)
		b.Adopt(make([]byte, 3, tt.size))
		if b.class != tt.class || len(b.B) != 3 {
			t.Errorf("%d bytes: class %d, want %d", tt.size, b.class, tt.class)
		}
		b.Claim()
		b.Release() // must not panic, whatever the class
		if got := p.Get(tt.size); cap(got.B) < tt.size {
			t.Errorf("%d bytes: lent %d", tt.size, cap(got.B))
		}
	}
}
