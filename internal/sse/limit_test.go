package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{4095, 4096, 4097, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 8 << 20, 32 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			want := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			stream := AppendEvent([]byte("data: first\n\n"), "big", want)
			stream = AppendEvent(stream, "", []byte("last"))
			r := NewReader(bytes.NewReader(stream), 0)
			for _, data := range [][]byte{[]byte("first"), want, []byte("last")} {
				if ev, err := r.Next(); err != nil || !bytes.Equal(ev.Data, data) {
					t.Fatalf("Next() = %d bytes of data, %v, want %d as written", len(ev.Data), err, len(data))
				}
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	for _, test := range []struct {
		name, stream string
		want         error
	}{
		{"data at the limit", "event: e\ndata: " + strings.Repeat("x", limit) + "\n\n", io.EOF},
		{"data past the limit", "data: " + strings.Repeat("x", limit+1) + "\n\n", ErrTooLarge},
		{"lines at the limit", "data: a\ndata: " + strings.Repeat("x", limit-2) + "\n\n", io.EOF},
		{"lines past the limit", "data: a\ndata: " + strings.Repeat("x", limit-1) + "\n\n", ErrTooLarge},
		{"many empty lines", strings.Repeat("data:\n", limit) + "\n", ErrTooLarge},
		{"comments", strings.Repeat(": x\n", limit), ErrTooLarge},
		{"type", "event: " + strings.Repeat("x", 2*limit) + "\n\n", ErrTooLarge},
		{"never ends", strings.Repeat("x", 10*limit), ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := NewReader(strings.NewReader("data: before\n\n"+test.stream), limit)
			if ev, err := r.Next(); err != nil || string(ev.Data) != "before" {
				t.Fatalf("Next() = %q, %v, want the event before", ev.Data, err)
			}
			_, _, err := readAll(r)
			if !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if _, again := r.Next(); !errors.Is(again, test.want) {
				t.Errorf("error %v the second time, want %v", again, test.want)
			}
		})
	}
}

// endless is a line of a gibibyte that has no end.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(b), e.left)
	for i := range n {
		b[i] = 'x'
	}
	e.left -= n
	return n, nil
}

// TestEndlessLine counts what is allocated, so it does not run beside other tests.
//
//nolint:paralleltest // it measures memory
func TestEndlessLine(t *testing.T) {
	const limit = 8 << 20
	src := &endless{left: 1 << 30}
	r := NewReader(src, limit)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := r.Next()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("Next() = %v, want ErrTooLarge", err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 2*limit+limit/8 {
		t.Errorf("allocated %d bytes in all, want about twice the limit of %d", got, limit)
	}
	if read := 1<<30 - src.left; read > limit+2*framing {
		t.Errorf("read %d bytes, want to stop at the limit", read)
	}
}

// TestLinear reads large events byte by byte and such with very many lines. A parser that searches or moves
// again what it has seen needs minutes; this one needs a fraction of a second, which leaves room for a busy machine.
//
//nolint:paralleltest // its cases measure time, one after the other
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	const size = 8 << 20
	long := append(append([]byte("data: "), bytes.Repeat([]byte("x"), size)...), "\n\n"...)
	for _, test := range []struct {
		name string
		src  io.Reader
		want int
	}{
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(long)), 1},
		{"CR lines", strings.NewReader(strings.Repeat("data: x\r", size/16) + "\r"), 1},
		{"LF lines", strings.NewReader(strings.Repeat("data: x\n", size/16) + "\n"), 1},
		{"CR events", strings.NewReader(strings.Repeat("data: x\r\r", size/16)), size / 16},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			r := NewReader(test.src, 0)
			n := 0
			for ; ; n++ {
				if _, err := r.Next(); err != nil {
					break
				}
			}
			if n != test.want {
				t.Errorf("%d events, want %d", n, test.want)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Logf("took %v", took)
			}
		})
	}
}

//nolint:paralleltest // it measures memory
func TestSteadyStateAllocatesNothing(t *testing.T) {
	stream := benchStream()
	src := bytes.NewReader(nil)
	r := NewReader(src, 0)
	if n := testing.AllocsPerRun(10, func() {
		src.Reset(stream)
		r.Reset(src)
		drain(t, r)
	}); n > 0 {
		t.Errorf("%v allocations for a stream of %d events, want 0", n, benchEvents)
	}
}
