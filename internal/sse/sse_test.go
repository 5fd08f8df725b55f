package sse

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// parsed is an Event that outlives the Reader's buffer. Raw is left out: how late an LF arrives moves it.
type parsed struct {
	Type, Data, ID string
	HasType, HasID bool
	HasData        bool
}

// readAll gives the blocks that have a field, the bytes of all blocks, and how the stream ended.
func readAll(r *Reader) (events []parsed, raw []byte, err error) {
	for {
		ev, err := r.Next()
		if err != nil {
			return events, raw, err
		}
		raw = append(raw, ev.Raw...)
		if ev.HasData || ev.Type != nil || ev.ID != nil {
			events = append(events, parsed{
				Type: string(ev.Type), Data: string(ev.Data), ID: string(ev.ID),
				HasType: ev.Type != nil, HasID: ev.ID != nil, HasData: ev.HasData,
			})
		}
	}
}

func data(s string) parsed { return parsed{Data: s, HasData: true} }

func typed(typ, s string) parsed { return parsed{Type: typ, HasType: true, Data: s, HasData: true} }

var streams = []struct {
	name   string
	stream string // with LF; the tests use it with CR and CRLF, too
	want   []parsed
	err    error
}{
	{name: "empty", err: io.EOF},
	{name: "one", stream: "data: x\n\n", want: []parsed{data("x")}, err: io.EOF},
	{name: "type", stream: "event: ping\ndata: {}\n\n", want: []parsed{typed("ping", "{}")}, err: io.EOF},
	{
		name:   "last type wins",
		stream: "event: a\nevent: b\ndata:\n\n",
		want:   []parsed{typed("b", "")}, err: io.EOF,
	},
	{name: "no space", stream: "event:a\ndata:x\n\n", want: []parsed{typed("a", "x")}, err: io.EOF},
	{name: "two spaces", stream: "data:  x \n\n", want: []parsed{data(" x ")}, err: io.EOF},
	{name: "tab", stream: "data:\tx\n\n", want: []parsed{data("\tx")}, err: io.EOF},
	{name: "colons", stream: "data: a: b:c\n\n", want: []parsed{data("a: b:c")}, err: io.EOF},
	{name: "no colon", stream: "data\n\n", want: []parsed{data("")}, err: io.EOF},
	{name: "two empty", stream: "data\ndata\n\n", want: []parsed{data("\n")}, err: io.EOF},
	{name: "lines", stream: "data: a\ndata:\ndata: b\n\n", want: []parsed{data("a\n\nb")}, err: io.EOF},
	{
		name:   "lines apart",
		stream: "data: a\nevent: e\n: c\ndata: b\n\n",
		want:   []parsed{typed("e", "a\nb")}, err: io.EOF,
	},
	{
		name: "id", stream: "id: 1\ndata: x\n\nid\ndata: y\n\nid: a\x00b\ndata: z\n\n",
		want: []parsed{
			{Data: "x", HasData: true, ID: "1", HasID: true}, {Data: "y", HasData: true, HasID: true}, data("z"),
		},
		err: io.EOF,
	},
	{
		name:   "other fields",
		stream: "retry: 10\nfoo: 1\ndatas: n\ndat: n\nData: n\n data: n\ndata: x\n\n",
		want:   []parsed{data("x")}, err: io.EOF,
	},
	{
		name:   "type alone",
		stream: "event: e\n\ndata: x\n\n",
		want:   []parsed{{Type: "e", HasType: true}, data("x")}, err: io.EOF,
	},
	{
		name:   "comments",
		stream: ": one\n\n:two\n:\ndata: x\n: three\n\n: four\n",
		want:   []parsed{data("x")}, err: io.EOF,
	},
	{name: "blank lines", stream: "\n\n\ndata: x\n\n\n\n", want: []parsed{data("x")}, err: io.EOF},
	{name: "BOM", stream: "\ufeffdata: x\n\n", want: []parsed{data("x")}, err: io.EOF},
	{name: "BOM, lines", stream: "\ufeffdata: x\ndata: y\n\n", want: []parsed{data("x\ny")}, err: io.EOF},
	{name: "BOM alone", stream: "\ufeff", err: io.EOF},
	{name: "BOM, blank", stream: "\ufeff\ndata: x\n\n", want: []parsed{data("x")}, err: io.EOF},
	{
		name:   "two BOM",
		stream: "\ufeff\ufeffdata: n\n\ndata: x\n\n",
		want:   []parsed{data("x")}, err: io.EOF,
	},
	{name: "late BOM", stream: "data: x\n\n\ufeffdata: n\n\n", want: []parsed{data("x")}, err: io.EOF},
	{name: "UTF-8", stream: "data: grüße 世界 🎉\n\n", want: []parsed{data("grüße 世界 🎉")}, err: io.EOF},
	{
		name:   "not UTF-8",
		stream: "data: \xff\x00\xc3\n\n",
		want:   []parsed{data("\xff\x00\xc3")}, err: io.EOF,
	},
	{name: "cut line", stream: "data: x\n\ndata: y", want: []parsed{data("x")}, err: io.ErrUnexpectedEOF},
	{
		name:   "cut block",
		stream: "data: x\n\nevent: y\n",
		want:   []parsed{data("x")}, err: io.ErrUnexpectedEOF,
	},
	{name: "cut comment", stream: "data: x\n\n: y", want: []parsed{data("x")}, err: io.ErrUnexpectedEOF},
	{
		name:   "done",
		stream: "data: {\"a\":1}\n\ndata: [DONE]\n\n",
		want:   []parsed{data(`{"a":1}`), data("[DONE]")}, err: io.EOF,
	},
}

// endings are the ways to end lines; mixed takes them in turn.
var endings = []struct {
	name string
	with func(string) string
}{
	{"LF", func(s string) string { return s }},
	{"CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
	{"CR", func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }},
	{"mixed", func(s string) string {
		var b strings.Builder
		for i, line := range strings.SplitAfter(s, "\n") {
			text, ended := strings.CutSuffix(line, "\n")
			b.WriteString(text)
			if ended {
				b.WriteString([]string{"\r\n", "\n", "\r\n", "\r"}[i%4]) // CR, LF in a row would be one line end
			}
		}
		return b.String()
	}},
}

// pieces is a source that gives one piece a read.
type pieces [][]byte

func (p *pieces) Read(b []byte) (int, error) {
	for len(*p) > 0 && len((*p)[0]) == 0 {
		*p = (*p)[1:]
	}
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	(*p)[0] = (*p)[0][n:]
	return n, nil
}

// TestSplits reads each stream whole, byte by byte, cut at every place and cut at two random places: the
// events must be the same and the raw bytes must be the stream.
func TestSplits(t *testing.T) {
	t.Parallel()
	for _, test := range streams {
		for _, ending := range endings {
			t.Run(test.name+"/"+ending.name, func(t *testing.T) {
				t.Parallel()
				s := ending.with(test.stream)
				check := func(how string, src io.Reader) {
					t.Helper()
					r := NewReader(src, 0)
					events, raw, err := readAll(r)
					raw = append(raw, r.Rest()...)
					if diff := cmp.Diff(test.want, events); diff != "" || !errors.Is(err, test.err) || string(raw) != s {
						t.Fatalf("%s: error %v, want %v; raw %q, want %q; events (-want +got):\n%s",
							how, err, test.err, raw, s, diff)
					}
				}
				check("whole", strings.NewReader(s))
				check("bytes", iotest.OneByteReader(strings.NewReader(s)))
				check("halves", iotest.HalfReader(strings.NewReader(s)))
				check("data with error", iotest.DataErrReader(strings.NewReader(s)))
				for i := range len(s) {
					check(fmt.Sprint("cut at ", i), &pieces{[]byte(s[:i]), []byte(s[i:])})
				}
				rng := rand.New(rand.NewPCG(7, 8))
				for range 200 {
					i, j := rng.IntN(len(s)+1), rng.IntN(len(s)+1)
					i, j = min(i, j), max(i, j)
					check(fmt.Sprint("cut at ", i, " and ", j), &pieces{[]byte(s[:i]), []byte(s[i:j]), []byte(s[j:])})
				}
			})
		}
	}
}

// TestCRDeliversAtOnce has a source that fails the test when it is asked for more than the event's CR.
func TestCRDeliversAtOnce(t *testing.T) {
	t.Parallel()
	src := &pieces{[]byte("data: a\r\r"), []byte("\ndata: b\r\n\r"), []byte("\n")}
	r := NewReader(src, 0)
	for i, want := range []struct {
		raw  string
		left int
	}{{"data: a\r\r", 2}, {"\ndata: b\r\n\r", 1}, {"\n", 0}} {
		ev, err := r.Next()
		left := 0
		for _, p := range *src {
			if len(p) > 0 {
				left++
			}
		}
		if err != nil || string(ev.Raw) != want.raw || left != want.left || ev.HasData != (i < 2) {
			t.Errorf("Next() = %q, %v with %d reads left, want %q with %d", ev.Raw, err, left, want.raw, want.left)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("Next() at the end = %v, want io.EOF", err)
	}
}

func TestBuffered(t *testing.T) {
	t.Parallel()
	r := NewReader(&pieces{[]byte("data: 1\n\ndata: 2\n\ndata: 3"), []byte("\n\n")}, 0)
	if r.Buffered() {
		t.Error("Buffered() before the first read = true")
	}
	for _, want := range []struct {
		data     string
		buffered bool
	}{{"1", true}, {"2", false}, {"3", false}} {
		ev, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		buffered := r.Buffered()
		if string(ev.Data) != want.data || buffered != want.buffered {
			t.Errorf("Next() = %q, then Buffered() = %t, want %q, %t", ev.Data, buffered, want.data, want.buffered)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) || !r.Buffered() {
		t.Errorf("Next() = %v, Buffered() = %t at the end, want io.EOF, true", err, r.Buffered())
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection broken")
	t.Run("after whole events", func(t *testing.T) {
		t.Parallel()
		src := io.MultiReader(strings.NewReader("data: a\n\ndata: b\n\ndata: c"), iotest.ErrReader(broken))
		r := NewReader(src, 0)
		events, _, err := readAll(r)
		if diff := cmp.Diff([]parsed{data("a"), data("b")}, events); diff != "" || !errors.Is(err, broken) {
			t.Errorf("error %v, events (-want +got):\n%s", err, diff)
		}
		if got := string(r.Rest()); got != "data: c" {
			t.Errorf("Rest() = %q, want the cut event", got)
		}
		if _, again := r.Next(); !errors.Is(again, broken) {
			t.Errorf("Next() after the error = %v, want the same", again)
		}
	})
	t.Run("no progress", func(t *testing.T) {
		t.Parallel()
		r := NewReader(readerFunc(func([]byte) (int, error) { return 0, nil }), 0)
		if _, err := r.Next(); !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("Next() = %v, want io.ErrNoProgress", err)
		}
	})
	t.Run("impossible count", func(t *testing.T) {
		t.Parallel()
		r := NewReader(readerFunc(func(b []byte) (int, error) { return len(b) + 1, nil }), 0)
		if _, err := r.Next(); err == nil {
			t.Error("Next() = nil, want an error")
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestReset(t *testing.T) {
	t.Parallel()
	var r Reader
	for range 2 {
		r.Reset(strings.NewReader("\ufeffdata: a\n\ndata: " + strings.Repeat("x", 1<<20) + "\n\ndata: cut"))
		if events, _, err := readAll(&r); len(events) != 2 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d events, error %v, want 2, io.ErrUnexpectedEOF", len(events), err)
		}
	}
	r.Reset(nil)
	if n := cap(r.buf); n > keptBuffer {
		t.Errorf("Reset kept a buffer of %d bytes", n)
	}
}
