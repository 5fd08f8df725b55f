package ccproxy

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/internal/lease"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// inlet is where calls come in: an operation, in a client's format.
type inlet struct {
	proxy    *Proxy
	format   adapters.Format // of the client
	op       Operation
	endpoint string // the client's path below the provider
}

// pipeline answers one endpoint of one provider: it reads and checks the request, converts it if the provider
// speaks another format, calls the provider, and relays the answer.
type pipeline struct {
	inlet
	name      string // of the provider
	provider  Provider
	spec      ProviderSpec
	upstream  adapters.Format // of the provider; equal where it speaks the client's
	estimates bool            // tokens, which the provider does not count
	memory    *upstream
	others    map[string]*pipeline // of the same endpoint, by provider; itself is one of them
}

// ServeHTTP implements http.Handler.
func (p *pipeline) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	exchangeFrom(r.Context()).provider = p.name
	p.serve(w, r, func(context.Context, *Call) (*pipeline, error) { return p, nil })
}

// chooser finds out whose call it is. It may take what tells so from the call's Model.
type chooser func(context.Context, *Call) (*pipeline, error)

// serve answers a call.
func (in inlet) serve(w http.ResponseWriter, r *http.Request, choose chooser) {
	ex := exchangeFrom(r.Context())
	ex.format = in.format
	defer in.proxy.callers.end(ex)
	if err := in.proxy.callers.begin(r.Context(), ex); err != nil {
		ex.announce()
		ex.fail(w, err)
		return
	}
	body, err := in.proxy.readBody(w, r)
	if err != nil {
		ex.announce()
		if !errors.Is(err, os.ErrDeadlineExceeded) { // net/http ends the context then, too, but the client is there
			err = cause(r.Context(), err)
		}
		ex.fail(w, err)
		return
	}
	defer body.Release()
	asked := body.B
	call, p, err := in.receive(r, ex, body.B, choose)
	ex.call = call
	ex.announce()
	if err != nil {
		ex.fail(w, err)
		return
	}
	if call.buf != nil { // the client's own body is only read on behalf of this call
		body.Claim()
		body = call.buf
		defer body.Release()
	}
	p.answer(lease.With(r.Context(), body), w, ex, call, asked)
}

// answer answers a call. body is the client's own, which stays as it is until the end.
func (p *pipeline) answer(ctx context.Context, w http.ResponseWriter, ex *exchange, call *Call, body []byte) {
	t := &relay{
		pipeline: p, ex: ex, w: w, call: call, client: p.format, attempt: attempt{from: p.upstream},
		body: body, header: call.Header,
	}
	defer t.releaseCalls()
	defer t.settle()
	if len(p.proxy.fallbacks) > 0 {
		t.plan(ctx)
	}
	t.promise()
	t.bring(ctx)
}

// fail answers with an error, as long as the client has not been sent anything.
func (ex *exchange) fail(w http.ResponseWriter, err error) {
	ex.failure = err
	if errors.Is(err, errClientGone) {
		w.WriteHeader(statusClientGone) // without it a host's log would show a success
		return
	}
	e := asError(err)
	// The host's own deadline may have passed while the upstream was thinking.
	_ = http.NewResponseController(ex.w).SetWriteDeadline(time.Now().Add(ex.proxy.limits.WriteTimeout))
	ex.errType = typeOf(ex.format, e.info(""))
	writeError(w, ex.r, ex.format, e)
}

// cause says why a context ended, if that is why err came about.
func cause(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	switch c := context.Cause(ctx); {
	case errors.Is(c, ErrDraining), isOwn(c):
		return c
	case errors.Is(c, context.DeadlineExceeded) && ctx.Value(inProcessKey{}) == nil:
		// It is the host's deadline, not the caller's own: the client is still there to be told.
		msg := "the request took longer than the server allows"
		return &Error{Status: http.StatusGatewayTimeout, Message: msg, Err: c}
	}
	return errClientGone
}

func isOwn(err error) bool {
	_, ok := errors.AsType[*Error](err)
	return ok
}

// receive makes a call of a request, and finds whose it is.
func (in inlet) receive(r *http.Request, ex *exchange, body []byte, choose chooser) (*Call, *pipeline, error) {
	ex.bodySize = int64(len(body))
	doc := in.proxy.doc()
	defer in.proxy.docs.Put(doc)
	if err := in.proxy.scan(doc, body); err != nil {
		return nil, nil, jsonError(err)
	}
	call := &Call{
		ID: ex.id, Operation: in.op, ClientFormat: in.format, Endpoint: in.endpoint, Body: body,
		Header: clientHeader(r.Header), Query: r.URL.RawQuery, strict: in.proxy.settings.StrictConversion,
	}
	call.Caller, _ = CallerFrom(r.Context())
	if err := peek(doc, call); err != nil {
		return call, nil, err
	}
	call.Session = session(doc, r)
	p, err := choose(r.Context(), call)
	if err != nil {
		return call, nil, err
	}
	ex.provider, call.Provider, call.Format = p.name, p.name, p.upstream
	if !p.mayCall(call, p.name, call.Model) {
		return call, nil, errModelNotAllowed()
	}
	call.chosen = call.Model
	err = p.fit(r.Context(), doc, call)
	return call, p, err
}

// scan checks a body.
func (p *Proxy) scan(doc *rawjson.Doc, body []byte) error {
	return doc.Scan(body, rawjson.Options{MaxDepth: p.limits.JSONDepth, Known: p.known[:]})
}

// fit makes of a call, whose body is the client's, one that the provider takes. doc is of that body.
func (p *pipeline) fit(ctx context.Context, doc *rawjson.Doc, call *Call) error {
	p.mapModel(doc, call)
	if p.estimates {
		call.Format = p.format
		return nil
	}
	return p.convertRequest(ctx, doc, call)
}

func errModelNotAllowed() *Error {
	return &Error{
		Status: http.StatusForbidden, Param: "model", Code: "model_not_allowed",
		Message: "model: this caller may not use it",
	}
}

// peek takes from the body what the proxy itself reads.
func peek(doc *rawjson.Doc, call *Call) error {
	if raw, ok := doc.Raw("model"); ok {
		model, ok := rawjson.String(raw)
		if !ok {
			return badRequest("model", "model: must be a string")
		}
		call.Model, call.ClientModel = model, model
	}
	raw, ok := doc.Raw("stream")
	if !ok || string(raw) == "null" {
		return nil
	}
	stream, ok := rawjson.Bool(raw)
	if !ok {
		return badRequest("stream", "stream: must be true or false")
	}
	call.Stream = stream
	return nil
}

// session finds what the client says of the conversation that a request belongs to.
func session(doc *rawjson.Doc, r *http.Request) string {
	if v := r.PathValue("session_id"); v != "" {
		return v
	}
	if strings.Contains(r.URL.RawQuery, "session_id=") {
		if v := r.URL.Query().Get("session_id"); v != "" {
			return v
		}
	}
	for _, name := range [...]string{
		"X-Claude-Code-Session-Id", "Session-Id", "Thread-Id", "Session_id", "Conversation_id",
	} {
		if v := r.Header.Get(name); v != "" {
			return v
		}
	}
	for _, name := range [...]string{"session_id", "prompt_cache_key"} {
		if raw, ok := doc.Raw(name); ok {
			if s, ok := rawjson.String(raw); ok {
				return s
			}
		}
	}
	metadata, _ := doc.Raw("metadata")
	for _, name := range [...]string{"session_id", "user_id"} {
		if raw, ok := rawjson.Find(metadata, name); ok {
			s, _ := rawjson.String(raw)
			return s
		}
	}
	return ""
}

// jsonError tells the client where its body is wrong.
func jsonError(err error) error {
	e := badRequest("body", "request body: %s", strings.TrimPrefix(err.Error(), "json: "))
	if j, ok := errors.AsType[*rawjson.Error](err); ok && j.Key != "" {
		e.Param = j.Key
	}
	e.Err = err
	return e
}

// do calls the provider, with the events around it.
func (p *pipeline) do(ctx context.Context, ex *exchange, call *Call) (*Answer, error) {
	if p.estimates {
		return p.estimate(call)
	}
	ex.attempts++
	call.exchange, call.attempted, call.asked = ex, false, false
	if ex.proxy.hooks.Mutators() || ex.enabled(hooks.EventProviderRequestPrepared) ||
		ex.enabled(hooks.EventProviderRequestSent) {
		call.prepare = p.prepare
		if !p.spec.SelfPrepared {
			if err := p.prepareCall(ctx, call); err != nil {
				return nil, err
			}
		}
	}
	start, converted := time.Now(), len(call.lost)
	ans, err := p.provider.Do(ctx, call)
	p.logLosses(ctx, call, "request", call.lost[converted:])
	err = answered(ans, err)
	if p.op == OpCountTokens && errors.Is(err, ErrUnsupported) {
		return p.estimate(call)
	}
	if err != nil {
		return nil, err
	}
	ex.received(ans, start)
	return ans, nil
}

// received tells hooks of an answer.
func (ex *exchange) received(ans *Answer, start time.Time) {
	if ans.Status == 0 {
		ans.Status = http.StatusOK
	}
	if ex.enabled(hooks.EventProviderResponseReceived) {
		ex.emit(&hooks.ProviderResponseReceived{
			Status: ans.Status, Header: hooks.SnapshotHeader(ans.Header), Stream: ans.streams(),
			Latency: time.Since(start), Attempt: ex.attempts,
		})
	}
}

// answered is the error of a call, which a provider that answers nothing has failed at. What comes beside an error is
// no answer.
func answered(ans *Answer, err error) error {
	if err != nil && ans != nil && ans.Body != nil {
		_ = ans.Body.Close()
	}
	if err == nil && (ans == nil || ans.Body == nil && ans.Events == nil) {
		return &Error{Message: "the provider answered nothing"}
	}
	return err
}

func (a *Answer) streams() bool { return a.Stream || a.Events != nil }

// prepare runs the mutators on what a provider is about to send, and shows the result to observers.
func (p *pipeline) prepare(ctx context.Context, req *hooks.PreparedRequest) error {
	ex := exchangeFrom(ctx)
	req.RequestID, req.Provider, req.Format, req.Operation = ex.id, p.name, string(p.upstream), string(p.op)
	req.Attempt = ex.attempts
	if err := p.proxy.hooks.Prepare(ctx, req); err != nil {
		return err
	}
	body, _, err := req.Result()
	if err != nil {
		return err
	}
	if ex.enabled(hooks.EventProviderRequestPrepared) {
		ex.emit(&hooks.ProviderRequestPrepared{
			Method: req.Method, URL: req.URL, Endpoint: req.Endpoint, Model: req.Model, ClientModel: req.ClientModel,
			Stream: req.Stream, Header: hooks.SnapshotHeader(req.Header),
			BodyBytes: int64(len(body)), Body: string(body), Losses: ex.losses(), Attempt: ex.attempts,
		})
	}
	if ex.enabled(hooks.EventProviderRequestSent) {
		ex.emit(&hooks.ProviderRequestSent{
			Method: req.Method, URL: req.URL, Endpoint: req.Endpoint, Model: req.Model, Stream: req.Stream,
			BodyBytes: int64(len(body)),
		})
	}
	return nil
}

// prepareCall lets mutators change a call of a provider that does not prepare requests itself.
func (p *pipeline) prepareCall(ctx context.Context, call *Call) error {
	req := hooks.NewPreparedRequest(call.Body)
	req.Method, req.Endpoint, req.Header = http.MethodPost, call.Endpoint, call.Header
	req.Model, req.ClientModel, req.Stream = call.Model, call.ClientModel, call.Stream
	if err := p.prepare(ctx, req); err != nil {
		return err
	}
	body, changed, err := req.Result()
	if err != nil {
		return err
	}
	call.Header, call.prepare = req.Header, nil // a provider of the toolkit in there would run the hooks again
	if !changed {
		return nil
	}
	var doc rawjson.Doc
	if err := doc.Scan(body, rawjson.Options{MaxDepth: p.proxy.limits.JSONDepth}); err != nil {
		return &Error{Message: "a hook of the proxy changed the request into one that is not JSON", Err: err}
	}
	call.Body = body
	if raw, ok := doc.Raw("model"); ok {
		if model, ok := rawjson.String(raw); ok {
			call.Model = model
		}
	}
	return nil
}
