package wiretap_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/internal/wiretap"
)

// log is a Recorder that writes down what it is told.
type log struct {
	strings.Builder

	status int
	ends   []string
}

func (l *log) Response(status int, _ http.Header) { l.status = status }
func (l *log) End(why string)                     { l.ends = append(l.ends, why) }

func TestBodyEndsOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		read       func(io.Reader)
	}{
		{name: "to its end", read: func(r io.Reader) { _, _ = io.ReadAll(r) }},
		{name: "half", want: "not read to its end", read: func(r io.Reader) { _, _ = r.Read(make([]byte, 2)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l log
			body := wiretap.Body(io.NopCloser(strings.NewReader("text")), &l)
			tt.read(body)
			for range 2 {
				if err := body.Close(); err != nil {
					t.Error(err)
				}
			}
			if len(l.ends) != 1 || l.ends[0] != tt.want {
				t.Errorf("ends %q, want %q once", l.ends, tt.want)
			}
		})
	}
}

func TestTapsAddUp(t *testing.T) {
	t.Parallel()
	var a, b log
	if wiretap.From(t.Context()) != nil {
		t.Error("a context without a tap has one")
	}
	tap := func(l *log) wiretap.Tap { return func(*wiretap.Request) wiretap.Recorder { return l } }
	none := func(*wiretap.Request) wiretap.Recorder { return nil }
	ctx := wiretap.With(wiretap.With(wiretap.With(t.Context(), tap(&a)), none), tap(&b))
	rec := wiretap.From(ctx)(&wiretap.Request{})
	rec.Response(http.StatusTeapot, nil)
	_, _ = rec.Write([]byte("text"))
	rec.End("")
	for _, l := range []*log{&a, &b} {
		if l.status != http.StatusTeapot || l.String() != "text" || len(l.ends) != 1 {
			t.Errorf("a tap saw %d %q %q", l.status, l.String(), l.ends)
		}
	}
}
