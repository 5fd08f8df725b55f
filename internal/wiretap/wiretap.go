// Package wiretap lets what observes a client's request see the calls of upstreams that are made for it, bodies of
// answers included, which events do not carry. A [Tap] travels in the request's context.
package wiretap

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// Request is a request that is about to be sent to an upstream.
type Request struct {
	Method string
	URL    string // fit to be shown
	// Header has no values of fields that the provider knows to be secret; those that are secret by their names are
	// still in it. It must not be changed.
	Header http.Header
	Body   string
	Cut    bool // Body is not all of it
	// Secrets are the credentials that are sent: an answer may repeat them.
	Secrets  []string
	Provider string
}

// Recorder is told of the answer. A call is ended exactly once, whatever came before; Write may be called at the same
// time as End by whoever closes a body that is being read.
type Recorder interface {
	// Response tells of the status and the header, which must not be changed.
	Response(status int, header http.Header)
	// Write takes the next piece of the body, which belongs to the caller. Errors are not looked at.
	io.Writer
	// End tells that nothing more comes; why is empty if the answer was read to its end.
	End(why string)
}

// Tap is given each request and returns who wants its answer, nil for nobody. It may be called concurrently.
type Tap func(*Request) Recorder

type key struct{}

// With returns a context whose calls of upstreams are shown to tap, after those that tap the parent.
func With(ctx context.Context, tap Tap) context.Context {
	outer := From(ctx)
	if outer == nil {
		return context.WithValue(ctx, key{}, tap)
	}
	var both Tap = func(r *Request) Recorder { return join(outer(r), tap(r)) }
	return context.WithValue(ctx, key{}, both)
}

// From returns the tap of a context, nil for none.
func From(ctx context.Context) Tap {
	tap, _ := ctx.Value(key{}).(Tap)
	return tap
}

// Body returns a body that shows rec what is read of it. Without a Recorder it is the body itself.
func Body(body io.ReadCloser, rec Recorder) io.ReadCloser {
	if rec == nil {
		return body
	}
	return &tapped{ReadCloser: body, rec: rec}
}

// tapped is a body that is listened to.
type tapped struct {
	io.ReadCloser

	rec Recorder
	end sync.Once
}

func (t *tapped) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if n > 0 {
		_, _ = t.rec.Write(p[:n])
	}
	switch {
	case err == io.EOF:
		t.over("")
	case err != nil:
		t.over("the answer broke off")
	}
	return n, err
}

func (t *tapped) Close() error {
	err := t.ReadCloser.Close()
	t.over("not read to its end")
	return err
}

func (t *tapped) over(why string) { t.end.Do(func() { t.rec.End(why) }) }

// pair are two recorders as one.
type pair struct{ a, b Recorder }

func join(a, b Recorder) Recorder {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return pair{a, b}
}

func (p pair) Response(status int, h http.Header) {
	p.a.Response(status, h)
	p.b.Response(status, h)
}

func (p pair) Write(b []byte) (int, error) {
	_, _ = p.a.Write(b)
	return p.b.Write(b)
}

func (p pair) End(why string) {
	p.a.End(why)
	p.b.End(why)
}
