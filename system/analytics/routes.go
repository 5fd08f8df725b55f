package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

const (
	// queryTimeout bounds one question to the store.
	queryTimeout = 30 * time.Second
	maxPage      = 10_000
	// keepAlive is how often a client that watches is sent something, be it only a comment.
	keepAlive = 15 * time.Second
)

func endpoints(reset bool) []ccproxy.Endpoint {
	all := []ccproxy.Endpoint{
		{Pattern: "/query", Summary: "Records of requests, in pages"},
		{Pattern: "/analytics", Summary: "Sums over requests"},
		{Pattern: "/stream", Summary: "Records of requests as they come"},
	}
	if reset {
		all = append(all, ccproxy.Endpoint{Method: http.MethodPost, Pattern: "/reset", Summary: "Delete all records"})
	}
	return all
}

// handler answers for what endpoints lists.
func (p *plugin) handler(pc *ccproxy.PluginContext) http.Handler {
	rt := &routes{plugin: p, streams: pc.Streams, draining: pc.Draining()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /logs/query", rt.query)
	mux.HandleFunc("GET /logs/analytics", rt.analytics)
	mux.HandleFunc("GET /logs/stream", rt.stream)
	mux.HandleFunc("POST /logs/reset", rt.reset)
	return mux
}

type routes struct {
	*plugin

	streams  ccproxy.StreamingHandler
	draining <-chan struct{}
}

// queryAnswer is the answer of /logs/query.
type queryAnswer struct {
	Results    []recordJSON `json:"results"`
	Count      int          `json:"count"`
	Limit      int          `json:"limit"`
	Order      string       `json:"order"`
	Cursor     *string      `json:"cursor"`
	NextCursor *string      `json:"next_cursor"`
	HasMore    bool         `json:"has_more"`
	QueryTime  float64      `json:"query_time"`
	Backend    string       `json:"backend"`
}

func (rt *routes) query(w http.ResponseWriter, r *http.Request) {
	ps := paramsOf(r)
	q := Query{Filter: ps.filter(), Limit: ps.whole("limit", 1, maxPage, defaultPage)}
	order := ps.text("order")
	switch order {
	case "asc":
		q.Ascending = true
	case "", "desc":
		order = "desc"
	default:
		ps.fail("order", "must be asc or desc")
	}
	q.After = ps.cursor(q.Ascending)
	if err := ps.end(); err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	began := time.Now()
	page, err := rt.store.Query(ctx, q)
	if err != nil {
		rt.unavailable(w, r, err)
		return
	}
	out := queryAnswer{
		Results: make([]recordJSON, 0, len(page.Records)), Count: len(page.Records), Limit: q.Limit, Order: order,
		HasMore: page.More, QueryTime: time.Since(began).Seconds(), Backend: rt.backend,
	}
	for i := range page.Records {
		out.Results = append(out.Results, present(&page.Records[i]))
	}
	if s := r.URL.Query().Get("cursor"); s != "" {
		out.Cursor = &s
	}
	if page.More {
		next := cursor{after: page.Last(), ascending: q.Ascending}.String()
		out.NextCursor = &next
	}
	answer(w, out)
}

func (rt *routes) analytics(w http.ResponseWriter, r *http.Request) {
	ps := paramsOf(r)
	f := ps.filter()
	hours := ps.whole("hours", 1, 168, 24)
	if f.From.IsZero() {
		end := f.Until
		if end.IsZero() {
			end = time.Now()
		}
		f.From = end.Add(-time.Duration(hours) * time.Hour)
	}
	by := ps.dimensions()
	if err := ps.end(); err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	began := time.Now()
	byProvider, err := rt.store.Aggregate(ctx, Aggregation{Filter: f, By: []Dimension{ByProvider}})
	var groups []Group
	if err == nil && len(by) > 0 {
		groups, err = rt.store.Aggregate(ctx, Aggregation{Filter: f, By: by})
	}
	switch {
	case errors.Is(err, ErrTooManyGroups), errors.Is(err, ErrDimension):
		fail(w, &paramError{name: "group_by", text: err.Error()})
	case err != nil:
		rt.unavailable(w, r, err)
	default:
		out := presentSums(byProvider, groups, by)
		out.QueryTime, out.Backend = time.Since(began).Seconds(), rt.backend
		out.QueryParams = map[string]any{"start_time": f.From.UTC(), "end_time": nil, "hours": hours, "group_by": by}
		if !f.Until.IsZero() {
			out.QueryParams["end_time"] = f.Until.UTC()
		}
		answer(w, out)
	}
}

// dimensions reads group_by.
func (p *params) dimensions() []Dimension {
	by := []Dimension{}
	s := p.text("group_by")
	if s == "" {
		return by
	}
	for word := range strings.SplitSeq(s, ",") {
		d := Dimension(strings.TrimSpace(word))
		if d == "service_type" {
			d = ByProvider
		}
		if !slices.Contains(Dimensions(), d) || len(by) == 3 {
			p.fail("group_by",
				"must be a list of three at most of hour, day, model, provider, caller, account, outcome")
			return nil
		}
		by = append(by, d)
	}
	return by
}

func (rt *routes) stream(w http.ResponseWriter, r *http.Request) {
	ps := paramsOf(r)
	f := ps.filter()
	if err := ps.end(); err != nil {
		fail(w, err)
		return
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		return
	}
	sub, err := rt.live.subscribe(f)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		writeError(w, adapters.ErrorInfo{Status: http.StatusServiceUnavailable, Message: err.Error()})
		return
	}
	defer rt.live.unsubscribe(sub)
	events, err := rt.streams.Open(w, r)
	if err != nil {
		writeError(w, adapters.ErrorInfo{
			Status: http.StatusInternalServerError, Message: "the server around the proxy cannot stream",
		})
		return
	}
	rt.watch(r.Context(), sub, events)
}

// watch sends records until the client leaves, is too slow, or the proxy drains.
func (rt *routes) watch(ctx context.Context, sub *subscriber, events *ccproxy.EventWriter) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	err := events.Comment("watching")
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-rt.draining:
			return
		case <-tick.C:
			err = events.Comment("keep-alive")
		case r, ok := <-sub.records:
			if !ok {
				rt.dismiss(sub, events)
				return
			}
			data, jsonErr := json.Marshal(present(&r))
			if jsonErr != nil {
				return // cannot be: texts and numbers
			}
			err = events.Send(adapters.Event{Type: "log", Data: data})
		}
	}
}

// dismiss tells a client why it gets no more, if it can be told.
func (rt *routes) dismiss(sub *subscriber, events *ccproxy.EventWriter) {
	if sub.slow {
		_ = events.Send(adapters.Event{Type: "overflow", Data: []byte(`{"reason":"too slow"}`)})
	}
}

func (rt *routes) reset(w http.ResponseWriter, r *http.Request) {
	ps := paramsOf(r)
	if err := ps.end(); err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	rt.plugin.reset.Store(time.Now().UnixMicro()) // what came before is not to come back, wherever it is now
	err := rt.writer.flush(ctx)
	var deleted int64
	if err == nil {
		deleted, err = rt.store.Reset(ctx)
	}
	if err != nil {
		rt.unavailable(w, r, err)
		return
	}
	rt.logger.InfoContext(ctx, "records deleted on request", "records", deleted)
	answer(w, map[string]any{
		"status": "success", "message": "all records are deleted", "deleted": deleted,
		"timestamp": time.Now().UTC(), "backend": rt.backend,
	})
}

// unavailable answers for a store that did not; what it said is for the log.
func (rt *routes) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		rt.logger.WarnContext(r.Context(), "records cannot be read", "error", err)
	}
	writeError(w, adapters.ErrorInfo{
		Status: http.StatusServiceUnavailable, Message: "the records cannot be reached at the moment",
	})
}

// fail answers for parameters that are wrong.
func fail(w http.ResponseWriter, err error) {
	info := adapters.ErrorInfo{Status: http.StatusBadRequest, Message: err.Error()}
	if e, ok := errors.AsType[*paramError](err); ok {
		info.Param = e.name
	}
	writeError(w, info)
}

func writeError(w http.ResponseWriter, info adapters.ErrorInfo) {
	send(w, info.Status, adapters.EncodeError("", info))
}

func answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil { // a number that is none, of a store that is not ours
		const text = "the records cannot be shown"
		writeError(w, adapters.ErrorInfo{Status: http.StatusInternalServerError, Message: text})
		return
	}
	send(w, http.StatusOK, body)
}

func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
