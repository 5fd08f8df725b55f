// Package providertest is a programmable upstream for tests: it speaks Anthropic Messages, answers
// whatever a test scripts, in OpenAI's formats too, breaks in the ways real upstreams break, and remembers
// what it was sent.
//
// The zero [Upstream] behaves like the real service with a very small model: it checks credentials and
// required fields, answers whole or as a stream as the request asks, calls tools when told to, counts
// tokens and lists models. A test replaces answers with [Upstream.Enqueue], one after the other, or with
// a Handler that chooses by request:
//
//	var up providertest.Upstream
//	defer up.Close()
//	up.Enqueue(providertest.Error(529, "overloaded_error", "Overloaded", nil))
//	client := up.Client() // every URL leads to up, in memory: no port, no name lookup
//
// An Upstream is an [http.Handler] too, for tests that want a listening server.
//
// # Faults
//
// [StreamFaults] is every way in which a stream breaks, in each of the three formats and at each [Phase] of the
// stream. [Fault.Inject] lets an upstream break that way, and [Fault.Check] judges what a client was told of it: one
// end, in its own format, and no success that was none. [Faults] are more of them, in Anthropic's format alone. Run
// the code under test in a bubble of testing/synctest, whose time costs nothing, and which does not end while a
// goroutine is left behind; [Upstream.Active] tells whether an answer was let go. [Wire] sends what no server library
// would, and [SplitAt] and [Bytewise] cut what others send.
//
// # Checks
//
// [Ledger] is a hook that finds requests and streams which did not begin and end once. [Canary] makes secrets that
// [FindSecret] finds in what leaves a program, however they are encoded. [Hosts] are what applications put around a
// handler that streams.
package providertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
)

// maxCanceled is how many cancelled requests wait for a reader of [Upstream.Canceled].
const maxCanceled = 1024

// Upstream is a fake Anthropic upstream. The zero value is ready and safe for concurrent use; its
// exported fields must not change once requests arrive. It must not be copied.
type Upstream struct {
	// Handler chooses the answer to a request that no queued reply answers. If it is nil or returns
	// nil, the default behaviour applies. It is called concurrently, for every path.
	Handler func(Request) Reply

	// Models are the ids that GET /v1/models lists, newest first. If nil, a list of three is used.
	// POST /v1/messages takes any model.
	Models []string

	mu       sync.Mutex
	queue    []Reply
	fault    Reply // of every message once the queue is empty
	active   int
	requests []Request
	canceled chan Request
	arrivals int
	messages int

	memory memory
}

// Request is what reached the upstream, as it was on the wire.
type Request struct {
	Method   string
	Host     string
	Path     string // still escaped
	RawQuery string
	Header   http.Header
	Body     []byte // as sent: still compressed if the client compressed it
}

// Enqueue appends replies for the next requests for a message, one each: those that POST to /v1/messages,
// /v1/chat/completions or /v1/responses. Other requests, such as a listing of models in the background, take nothing
// from the queue.
func (u *Upstream) Enqueue(replies ...Reply) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queue = append(u.queue, replies...)
}

// Requests returns what came in so far, in the order in which the requests were complete.
func (u *Upstream) Requests() []Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.requests)
}

// Last returns the latest request; false if there was none.
func (u *Upstream) Last() (Request, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.requests) == 0 {
		return Request{}, false
	}
	return u.requests[len(u.requests)-1], true
}

// Reset forgets requests, queued replies, an injected fault and unread cancellations, accepts connections again, and
// numbers ids from 1. Answers under way go on.
func (u *Upstream) Reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queue, u.fault, u.requests, u.arrivals, u.messages = nil, nil, nil, 0, 0
	u.memory.refusing.Store(false)
	for len(u.canceled) > 0 {
		<-u.canceled
	}
}

// Active returns how many requests are being answered. It is 0 once clients have let go of all their answers, if only
// they do.
func (u *Upstream) Active() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.active
}

// Canceled delivers each request whose client went away before its answer ended, once its handler has
// returned. It is never closed, always the same channel, and holds 1024 unread requests; more are dropped.
func (u *Upstream) Canceled() <-chan Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.canceledLocked()
}

func (u *Upstream) canceledLocked() chan Request {
	if u.canceled == nil {
		u.canceled = make(chan Request, maxCanceled)
	}
	return u.canceled
}

// ServeHTTP records r whole and answers it with the next queued reply, the Handler's choice or the
// default, in this order.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Only a body read to its end lets the server notice that the client went away.
	body, err := io.ReadAll(r.Body)
	req := Request{
		Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
		Header: r.Header.Clone(), Body: body,
	}
	ex, reply := u.admit(req)
	defer u.leave()
	defer func() {
		if r.Context().Err() != nil && !ex.ended {
			u.reportCanceled(req)
		}
	}()
	if err != nil {
		return // the client went away in the middle of its own body
	}
	if reply == nil && u.Handler != nil {
		reply = u.Handler(req)
	}
	if reply == nil {
		reply = u.serveDefault
	}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, ex))
	r.Body = io.NopCloser(bytes.NewReader(body))
	reply(w, r)
}

// admit records req, numbers it and takes its reply from the queue, nil if there is none.
func (u *Upstream) admit(req Request) (*exchange, Reply) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests = append(u.requests, req)
	u.arrivals++
	u.active++
	ex := &exchange{upstream: u, request: u.arrivals}
	if req.Method != http.MethodPost || !generates(req.Path) {
		return ex, nil
	}
	u.messages++
	ex.message = u.messages
	if len(u.queue) == 0 {
		return ex, u.fault
	}
	reply := u.queue[0]
	u.queue = u.queue[1:]
	return ex, reply
}

// generates tells the paths at which the three formats are asked for a message.
func generates(path string) bool {
	return path == messagesPath || path == chatPath || path == responsesPath
}

func (u *Upstream) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.active--
}

func (u *Upstream) reportCanceled(req Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	select {
	case u.canceledLocked() <- req:
	default:
	}
}

// exchange is one request and its answer while the handler runs; only the handler's goroutine uses it.
type exchange struct {
	upstream *Upstream // nil outside of one

	request int  // position among all requests, from 1
	message int  // position among the messages requests, from 1
	ended   bool // the last byte is written: a client that leaves from here on has cancelled nothing
}

type exchangeKey struct{}

// exchangeOf returns the exchange of r, or a blank one for a reply that runs outside an Upstream.
func exchangeOf(r *http.Request) *exchange {
	if ex, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		return ex
	}
	return &exchange{}
}

func (ex *exchange) requestID() string { return fmt.Sprintf("req_%024d", ex.request) }
func (ex *exchange) messageID() string { return fmt.Sprintf("msg_%024d", ex.message) }
func (ex *exchange) toolID() string    { return fmt.Sprintf("toolu_%024d", ex.message) }
