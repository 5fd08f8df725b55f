package permissions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

const (
	// pingEvery is how often a client that watches is sent something.
	pingEvery = 15 * time.Second
	// maxBody bounds what clients send: an input, and what stands around it.
	maxBody = 2 * maxInput
)

func answerEndpoints() []ccproxy.Endpoint {
	return append([]ccproxy.Endpoint{
		{Summary: "Permission requests that wait for an answer"},
		{Pattern: "/stream", Summary: "Permission requests as events, as they come and end"},
		{Pattern: "/{id}", Summary: "A permission request"},
		{Method: http.MethodPost, Pattern: "/{id}/respond", Summary: "Allow or deny a permission request"},
	}, pageEndpoints()...)
}

type routes struct {
	*plugin

	streams  ccproxy.StreamingHandler
	draining <-chan struct{}
}

// answers serves those who answer.
func (rt *routes) answers() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /permissions", rt.approver(rt.list))
	mux.HandleFunc("GET /permissions/stream", rt.approver(rt.stream))
	mux.HandleFunc("GET /permissions/{id}", rt.approver(rt.one))
	mux.HandleFunc("POST /permissions/{id}/respond", rt.approver(rt.respond))
	if err := addPage(mux); err != nil {
		return nil, err
	}
	return mux, nil
}

// approver lets those pass who may answer.
func (rt *routes) approver(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(rt.cfg.Approvers) > 0 && !slices.Contains(rt.cfg.Approvers, caller(r)) {
			fail(w, http.StatusForbidden, "not_an_approver", "permission requests are for the approvers of this proxy")
			return
		}
		next(w, r)
	}
}

// caller returns the name of who sends a request, or "".
func caller(r *http.Request) string {
	c, _ := ccproxy.CallerFrom(r.Context())
	return c.ID
}

func (rt *routes) list(w http.ResponseWriter, r *http.Request) {
	all := false
	switch r.URL.Query().Get("status") {
	case "", "pending":
	case "all":
		all = true
	default:
		fail(w, http.StatusBadRequest, "invalid", "status: must be pending or all")
		return
	}
	out := []view{}
	for _, r := range rt.desk.list(all) {
		out = append(out, newView(&r))
	}
	send(w, http.StatusOK, map[string]any{"permissions": out})
}

func (rt *routes) one(w http.ResponseWriter, r *http.Request) {
	req, err := rt.desk.lookup(r.PathValue("id"))
	if err != nil {
		explain(w, err)
		return
	}
	send(w, http.StatusOK, newView(&req))
}

func (rt *routes) respond(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Allowed      *bool           `json:"allowed"`
		Reason       string          `json:"reason"`
		UpdatedInput json.RawMessage `json:"updated_input"`
	}
	if !read(w, r, &in, true) { // a key that is misspelled could change what is allowed
		return
	}
	if in.Allowed == nil {
		fail(w, http.StatusBadRequest, "invalid", "allowed: must be true or false")
		return
	}
	if string(in.UpdatedInput) == "null" {
		in.UpdatedInput = nil
	}
	req, err := rt.desk.answer(r.PathValue("id"), Answer{
		Allow: *in.Allowed, Reason: in.Reason, UpdatedInput: in.UpdatedInput, By: caller(r),
	})
	if err != nil {
		explain(w, err)
		return
	}
	rt.logger.InfoContext(r.Context(), "permission request answered", "id", req.ID, "tool", Plain(req.Tool),
		"status", string(req.Status), "by", req.By)
	send(w, http.StatusOK, map[string]any{"status": "success", "request_id": req.ID, "allowed": *in.Allowed})
}

// stream tells of requests until the client leaves, is too slow, or the proxy drains.
func (rt *routes) stream(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		return
	}
	sub, pending, err := rt.desk.watch()
	if err != nil {
		explain(w, err)
		return
	}
	defer rt.desk.unwatch(sub)
	events, err := rt.streams.Open(w, r)
	if err != nil {
		fail(w, http.StatusInternalServerError, "", "the server around the proxy cannot stream")
		return
	}
	for i := range pending {
		if err := events.Send(event(&pending[i])); err != nil {
			return
		}
	}
	rt.relay(r.Context(), sub, events)
}

func (rt *routes) relay(ctx context.Context, sub *watcher, events *ccproxy.EventWriter) {
	ping := adapters.Event{Type: "ping", Data: []byte("{}")}
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for err := events.Send(ping); err == nil; {
		select {
		case <-ctx.Done():
			return
		case <-rt.draining:
			return
		case <-tick.C:
			err = events.Send(ping)
		case req, ok := <-sub.events:
			if !ok {
				if sub.slow {
					_ = events.Send(adapters.Event{Type: "overflow", Data: []byte(`{"reason":"too slow"}`)})
				}
				return
			}
			err = events.Send(event(&req))
		}
	}
}

// read decodes a body, strictly or not, and answers for one that is not as it should be.
func read(w http.ResponseWriter, r *http.Request, into any, strict bool) bool {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		fail(w, http.StatusUnsupportedMediaType, "invalid", "the content type must be application/json")
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = decode(body, into, strict)
	}
	if err == nil {
		return true
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		fail(w, http.StatusRequestEntityTooLarge, "too_large", "the body is too large")
		return false
	}
	fail(w, http.StatusBadRequest, "invalid", "the body is not as it should be: "+err.Error())
	return false
}

func decode(body []byte, into any, strict bool) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	if strict {
		dec.DisallowUnknownFields()
		if err := unambiguous(body); err != nil {
			return err
		}
	}
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the object")
	}
	return nil
}

// unambiguous refuses keys of an object of which encoding/json would take the last, or take one for another.
func unambiguous(body []byte) error {
	seen := make(map[string]bool)
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil //nolint:nilerr // whoever decodes it says what is wrong
	}
	for dec.More() {
		key, _ := dec.Token()
		name, _ := key.(string)
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil //nolint:nilerr // likewise
		}
		if name != strings.ToLower(name) || seen[name] {
			return fmt.Errorf("the key %q is there twice, or not in lower case", name)
		}
		seen[name] = true
	}
	return nil
}

// explain answers for an error of the desk.
func explain(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrUnknown):
		fail(w, http.StatusNotFound, "unknown_permission", ErrUnknown.Error())
	case errors.Is(err, ErrAnswered):
		fail(w, http.StatusConflict, "already_answered", ErrAnswered.Error())
	case errors.Is(err, ErrExpired):
		fail(w, http.StatusGone, "expired", ErrExpired.Error())
	case errors.Is(err, ErrNotEditable):
		fail(w, http.StatusUnprocessableEntity, "not_editable", ErrNotEditable.Error())
	case errors.Is(err, ErrInvalid):
		fail(w, http.StatusBadRequest, "invalid", err.Error())
	case errors.Is(err, ErrTooMany):
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusServiceUnavailable, "too_many", ErrTooMany.Error())
	default:
		fail(w, http.StatusServiceUnavailable, "stopped", ErrStopped.Error())
	}
}

// fail answers with an error.
func fail(w http.ResponseWriter, status int, code, message string) {
	var shape struct {
		Error struct {
			Type    string `json:"type"`
			Message string `json:"message"`
			Code    string `json:"code,omitempty"`
		} `json:"error"`
	}
	shape.Error.Type, shape.Error.Message, shape.Error.Code = "permission_request_error", message, code
	send(w, status, shape)
}

func send(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // cannot be: texts, numbers, and JSON that was checked
		status = http.StatusInternalServerError
		body = []byte(`{"error":{"type":"api_error","message":"internal error"}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
