package dashboard

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

const (
	// tick is how often it is looked whether there is something to send, figuresEvery how often figures are sent while
	// they change, and quietEvery how often they are in any case, which keeps the connection alive.
	tick         = 500 * time.Millisecond
	figuresEvery = 2 * time.Second
	quietEvery   = 10 * time.Second
)

func endpoints() []ccproxy.Endpoint {
	all := []ccproxy.Endpoint{
		{Summary: "The page that shows the proxy at work", Auth: ccproxy.AuthPublic},
		{Pattern: "/", Summary: "Leads to the page", Auth: ccproxy.AuthPublic},
		{Pattern: "/data", Summary: "Figures of requests, plugins and credentials"},
		{Pattern: "/events", Summary: "The same as events, as they change"},
		{Pattern: "/session", Summary: "Whether a browser has to log in", Auth: ccproxy.AuthPublic},
		{Method: http.MethodPost, Pattern: "/session", Summary: "Log a browser in"},
		{Method: http.MethodDelete, Pattern: "/session", Summary: "Log a browser out", Auth: ccproxy.AuthPublic},
	}
	for _, name := range assetNames() {
		all = append(all, ccproxy.Endpoint{
			Pattern: "/assets/" + name, Summary: "A part of the page", Auth: ccproxy.AuthPublic,
		})
	}
	return all
}

// handler answers for what endpoints lists.
func (p *plugin) handler(pc *ccproxy.PluginContext) (http.Handler, error) {
	rt := &routes{plugin: p, streams: pc.Streams, draining: pc.Draining()}
	if m, ok := pc.Plugins.(ccproxy.Monitor); ok {
		rt.keys = m.KeyRequired()
	}
	mux := http.NewServeMux()
	page, err := newAsset("index.html")
	if err != nil {
		return nil, err
	}
	mux.Handle("GET "+prefix, page)
	mux.HandleFunc("GET "+prefix+"/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "../dashboard") // the browser knows what stands before it
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	for _, name := range assetNames() {
		a, err := newAsset(name)
		if err != nil {
			return nil, err
		}
		mux.Handle("GET "+prefix+"/assets/"+name, a)
	}
	mux.HandleFunc("GET "+prefix+"/data", rt.data)
	mux.HandleFunc("GET "+prefix+"/events", rt.events)
	mux.HandleFunc("GET "+prefix+"/session", rt.session)
	mux.HandleFunc("POST "+prefix+"/session", rt.login)
	mux.HandleFunc("DELETE "+prefix+"/session", rt.logout)
	return mux, nil
}

type routes struct {
	*plugin

	streams  ccproxy.StreamingHandler
	draining <-chan struct{}
	keys     bool // callers need one
}

// asked reads what figures are asked for, and answers where they cannot be had.
func (rt *routes) asked(w http.ResponseWriter, r *http.Request) (s span, ok bool) {
	if c, known := ccproxy.CallerFrom(r.Context()); len(rt.cfg.Admins) > 0 &&
		(!known || !slices.Contains(rt.cfg.Admins, c.ID)) {
		fail(w, http.StatusForbidden, "", "the dashboard is for the administrators of this proxy")
		return span{}, false
	}
	s, err := rt.span(r.URL.Query().Get("range"))
	if err != nil {
		fail(w, http.StatusBadRequest, "range", err.Error())
		return span{}, false
	}
	return s, true
}

// data answers once with what events tells from time to time.
func (rt *routes) data(w http.ResponseWriter, r *http.Request) {
	s, ok := rt.asked(w, r)
	if !ok {
		return
	}
	f, n := rt.all(r.Context(), s)
	answer(w, http.StatusOK, struct {
		*figures

		Requests news `json:"requests"`
	}{f, n})
}

// all returns the figures for a viewer, and all requests there are.
func (rt *routes) all(ctx context.Context, s span) (*figures, news) {
	n, _ := rt.board.since(0, ^uint64(0)) // a count that is never reached
	n.Reset = true
	return rt.shown(ctx, s), n
}

func (rt *routes) shown(ctx context.Context, s span) *figures {
	f := rt.figures(ctx, s)
	if c, ok := ccproxy.CallerFrom(ctx); ok {
		f.Caller = c.ID
	}
	f.Session = hasSession(ctx)
	return f
}

func (rt *routes) events(w http.ResponseWriter, r *http.Request) {
	s, ok := rt.asked(w, r)
	if !ok {
		return
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		return
	}
	leave, err := rt.board.enter()
	if err != nil {
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusServiceUnavailable, "", err.Error())
		return
	}
	defer leave()
	secured(w.Header())
	stream, err := rt.streams.Open(w, r)
	if err != nil {
		fail(w, http.StatusInternalServerError, "", "the server around the proxy cannot stream")
		return
	}
	(&viewer{routes: rt, stream: stream, span: s}).watch(r.Context())
}

// viewer is a page that is kept up to date. It holds no events: what it has not been sent yet is looked up when it is
// sent, so that one who reads slowly costs no more than others.
type viewer struct {
	*routes

	stream  *ccproxy.EventWriter
	span    span
	seq     int64
	changes uint64    // up to which requests were sent
	counted uint64    // up to which figures were sent
	figured time.Time // when they were
}

// watch sends until the page is closed, its session ends, or the proxy drains.
func (v *viewer) watch(ctx context.Context) {
	f, n := v.all(ctx, v.span)
	v.seq, v.changes, v.counted, v.figured = n.Seq, n.changes, f.changes, time.Now()
	if v.send("figures", f) != nil || v.send("requests", n) != nil {
		return
	}
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.draining:
			return
		case <-ticks.C:
			if v.update(ctx) != nil {
				return
			}
		}
	}
}

func (v *viewer) update(ctx context.Context) error {
	if n, ok := v.board.since(v.seq, v.changes); ok {
		v.seq, v.changes = n.Seq, n.changes
		if err := v.send("requests", n); err != nil {
			return err
		}
	}
	since := time.Since(v.figured)
	if since < quietEvery && (v.counted >= v.changes || since < figuresEvery) {
		return nil
	}
	f := v.shown(ctx, v.span)
	v.counted, v.figured = f.changes, time.Now()
	return v.send("figures", f)
}

func (v *viewer) send(event string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return v.stream.Send(adapters.Event{Type: event, Data: data})
}

// session tells the page whether it has to ask for a key. Anybody may know: asking for figures tells the same.
func (rt *routes) session(w http.ResponseWriter, r *http.Request) {
	_, known := ccproxy.CallerFrom(r.Context())
	answer(w, http.StatusOK, map[string]bool{"login": rt.keys && !known})
}

// login gives a browser a cookie in the place of the key that it has shown. Where nobody has to show one it needs no
// cookie.
func (rt *routes) login(w http.ResponseWriter, r *http.Request) {
	secured(w.Header())
	c, known := ccproxy.CallerFrom(r.Context())
	if !known {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	value := rt.sessions.begin(c)
	if value == "" {
		fail(w, http.StatusServiceUnavailable, "", "the proxy is shutting down")
		return
	}
	http.SetCookie(w, rt.sessions.cookie(r, value, int(rt.cfg.SessionTTL.Seconds())))
	w.WriteHeader(http.StatusNoContent)
}

// logout ends a session. It asks for nothing but the cookie: without one there is nothing to end.
func (rt *routes) logout(w http.ResponseWriter, r *http.Request) {
	rt.sessions.finish(r)
	secured(w.Header())
	http.SetCookie(w, rt.sessions.cookie(r, "", -1))
	w.WriteHeader(http.StatusNoContent)
}

// secured keeps answers out of caches and out of the pages of others.
func secured(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

func fail(w http.ResponseWriter, status int, param, message string) {
	send(w, status, adapters.EncodeError("", adapters.ErrorInfo{Status: status, Param: param, Message: message}))
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // what a plugin tells is no JSON
		fail(w, http.StatusInternalServerError, "", "the figures cannot be shown")
		return
	}
	send(w, status, body)
}

func send(w http.ResponseWriter, status int, body []byte) {
	secured(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
