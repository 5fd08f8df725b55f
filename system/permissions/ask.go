package permissions

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

func askEndpoints() []ccproxy.Endpoint {
	return []ccproxy.Endpoint{
		{Method: http.MethodPost, Summary: "MCP server with the tool check_permission"},
		{Method: http.MethodPost, Pattern: "/permission/check", Summary: "Ask whether a tool may be used"},
	}
}

// asks serves programs that ask.
func (rt *routes) asks() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("POST /mcp", rt.mcp())
	mux.HandleFunc("POST /mcp/permission/check", rt.check)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(patientWriter{w}, r) }), nil
}

// asked is what programs send, through MCP or without.
type asked struct {
	Tool      string          `json:"tool_name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	ID        string          `json:"permission_id"`
	// Wait is how many seconds to wait before the answer is "pending". Nil waits until there is one.
	Wait *float64 `json:"wait_seconds"`
}

// outcome is what programs are told. The first three fields are those that Claude Code knows.
type outcome struct {
	Behavior     string          `json:"behavior"` // allow, deny or pending
	UpdatedInput json.RawMessage `json:"updatedInput,omitempty"`
	Message      string          `json:"message,omitempty"`
	ID           string          `json:"permission_id,omitempty"`
}

// ask puts a question and waits for its answer.
func (rt *routes) ask(ctx context.Context, in *asked, source, caller string) (outcome, error) {
	if in.Wait != nil && (*in.Wait < 0 || *in.Wait > time.Hour.Seconds()) {
		return outcome{}, errWait
	}
	e, err := rt.desk.ask(Question{
		ID: in.ID, Tool: in.Tool, Input: in.Input, ToolUseID: in.ToolUseID, Source: source, Caller: caller,
		Editable: true,
	}, true)
	if err != nil {
		return outcome{}, err
	}
	req, err := rt.await(ctx, e, in.Wait)
	if err != nil {
		return outcome{}, err
	}
	switch req.Status {
	case Pending:
		return outcome{Behavior: "pending", Message: "Nobody has answered yet.", ID: req.ID}, nil
	case Allowed:
		o := outcome{Behavior: "allow", UpdatedInput: req.UpdatedInput, ID: req.ID}
		if o.UpdatedInput == nil {
			o.UpdatedInput = req.Input
		}
		return o, nil
	default:
		return outcome{Behavior: "deny", Message: refusal(&req), ID: req.ID}, nil
	}
}

// errWait tells of a wait that is none.
var errWait = errors.New("wait_seconds: must be 0 to 3600")

// await waits for the answer, for some seconds if seconds is not nil.
func (rt *routes) await(ctx context.Context, e *entry, seconds *float64) (Request, error) {
	if seconds == nil {
		return rt.desk.wait(ctx, e, grace)
	}
	t := time.NewTimer(time.Duration(*seconds * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-e.done:
	case <-rt.draining:
		return rt.desk.wait(ctx, e, grace) // which tells that no answer can come any more
	case <-ctx.Done():
	}
	return rt.desk.leave(ctx, e), nil
}

// check answers POST /mcp/permission/check.
func (rt *routes) check(w http.ResponseWriter, r *http.Request) {
	var in asked
	if !read(w, r, &in, false) {
		return
	}
	o, err := rt.ask(r.Context(), &in, "http", caller(r))
	switch {
	case errors.Is(err, errWait):
		fail(w, http.StatusBadRequest, "invalid", errWait.Error())
	case err != nil:
		explain(w, err)
	case o.Behavior == "pending":
		send(w, http.StatusAccepted, o)
	default:
		send(w, http.StatusOK, o)
	}
}

// writeTime bounds each write of an answer that people take their time for.
const writeTime = 30 * time.Second

// patientWriter moves the deadline for writing on with each write: that of the host's server may have passed while
// somebody was thinking.
type patientWriter struct{ http.ResponseWriter }

// Unwrap lets http.ResponseController reach the inner writer.
func (w patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w patientWriter) Write(b []byte) (int, error) {
	w.extend()
	return w.ResponseWriter.Write(b)
}

// Flush implements http.Flusher, for who looks for it.
func (w patientWriter) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w patientWriter) FlushError() error {
	w.extend()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w patientWriter) extend() {
	rc := http.NewResponseController(w.ResponseWriter)
	_ = rc.SetWriteDeadline(time.Now().Add(writeTime)) // where it cannot be set there is none
}
