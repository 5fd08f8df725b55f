package oauthtest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// Fault is what goes wrong with one request. The zero value is nothing.
type Fault struct {
	// Delay is waited before the request is looked at, or until the client is gone.
	Delay time.Duration
	// Before is called before the request is looked at, with the request's context. May be nil.
	Before func(context.Context)
	// Status, if not zero, is answered with Header and Body, and the request is not looked at.
	Status int
	Header http.Header
	Body   string
	// Refused breaks the connection, and the request is not looked at.
	Refused bool
	// After is called when the request has been obeyed and not been answered yet. May be nil.
	After func(context.Context)
	// Slow is waited then, or until the client is gone.
	Slow time.Duration
	// Lost breaks the connection instead of answering: the server did what it was asked, and nobody knows.
	Lost bool
}

// The kinds of faults that every client of an authorization server meets one day.

// Overloaded is a 429 with a Retry-After of so many seconds.
func Overloaded(seconds int) Fault {
	return Fault{
		Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {strconv.Itoa(seconds)}},
		Body: `{"error":"rate_limit_error"}`,
	}
}

// Gateway is a 502 with a page for people, by something between client and server.
func Gateway() Fault {
	return Fault{
		Status: http.StatusBadGateway, Header: http.Header{"Content-Type": {"text/html"}},
		Body: "<html><body><h1>502 Bad Gateway</h1></body></html>",
	}
}

// Portal is a page for people with status 200, as of a hotel's network.
func Portal() Fault {
	return Fault{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/html"}},
		Body: "<html><body>Please accept our terms.</body></html>",
	}
}

// Empty is a 200 without a body.
func Empty() Fault { return Fault{Status: http.StatusOK} }

// before reports whether the request is to be looked at.
func (f Fault) before(w http.ResponseWriter, r *http.Request) bool {
	wait(r.Context(), f.Delay)
	if f.Before != nil {
		f.Before(r.Context())
	}
	if f.Refused || r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 {
		return true
	}
	maps.Copy(w.Header(), f.Header)
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body)
	return false
}

// after reports whether the answer is to be sent.
func (f Fault) after(r *http.Request) bool {
	if f.After != nil {
		f.After(r.Context())
	}
	wait(r.Context(), f.Slow)
	return !f.Lost
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Transport returns a round tripper that brings every request to the server, whatever its host, without any
// network. A client that leaves ends the request's context, not the handler.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	r := req.Clone(req.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.RequestURI = req.URL.RequestURI()
	answers := make(chan *http.Response, 1)
	go func() {
		var answer *http.Response // nil if the handler aborts
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // the very value
				answer = nil
			}
			answers <- answer
		}()
		rec := httptest.NewRecorder()
		t.server.ServeHTTP(rec, r)
		answer = rec.Result()
		answer.Request = req
	}()
	select {
	case answer := <-answers:
		if answer == nil {
			return nil, io.ErrUnexpectedEOF
		}
		return answer, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}
