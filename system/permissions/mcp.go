package permissions

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// progressEvery is how often an MCP client that asked for it is told that the question still waits, which keeps its
// patience and the connection alive.
const progressEvery = 15 * time.Second

// toolSchema describes the arguments of the tool.
const toolSchema = `{"type":"object","required":["tool_name","input"],"properties":{
"tool_name":{"type":"string","description":"The tool that is to be used"},
"input":{"type":"object","description":"What the tool is to be called with"},
"tool_use_id":{"type":"string","description":"The id of the call"},
"permission_id":{"type":"string","description":"The id of a question that was put before, to ask for its answer again"},
"wait_seconds":{"type":"number","minimum":0,"maximum":3600,
"description":"How long to wait before the answer is pending; until there is an answer by default"}}}`

// mcp returns the MCP server. It keeps no sessions: each request has a server of its own, which knows who asks, and for
// how long they wait.
func (rt *routes) mcp() http.Handler {
	// Names and origins are checked by the proxy, which knows those that it goes by.
	return mcp.NewStreamableHTTPHandler(rt.server, &mcp.StreamableHTTPOptions{
		Stateless: true, DisableLocalhostProtection: true, MaxRequestBodyBytes: maxBody,
		Logger: slog.New(slog.DiscardHandler), PropagateRequestCancellation: true,
	})
}

func (rt *routes) server(r *http.Request) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "ccproxy-permissions", Version: "1.0.0"}, &mcp.ServerOptions{
		Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
	})
	s.AddTool(&mcp.Tool{
		Name: "check_permission",
		Description: "Asks a person whether a tool may be used. The answer is JSON whose behavior is allow, deny or " +
			"pending.",
		InputSchema: json.RawMessage(toolSchema),
	}, func(ctx context.Context, call *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		// Up to 2025-11-25, the SDK does not end a call when its client has gone.
		stop := context.AfterFunc(r.Context(), func() { cancel(context.Cause(r.Context())) })
		defer stop()
		return rt.call(ctx, call, caller(r)), nil
	})
	return s
}

// call answers a call of the tool. Whatever goes wrong is a refusal, which tells the model why.
func (rt *routes) call(ctx context.Context, call *mcp.CallToolRequest, caller string) *mcp.CallToolResult {
	var in asked
	if err := json.Unmarshal(call.Params.Arguments, &in); err != nil {
		return result(outcome{Behavior: "deny", Message: "The arguments are not as they should be."})
	}
	stop := keepPatient(ctx, call)
	defer stop()
	o, err := rt.ask(ctx, &in, "mcp", caller)
	if err != nil {
		o = outcome{Behavior: "deny", Message: "Nobody could be asked: " + err.Error() + "."}
	}
	return result(o)
}

func result(o outcome) *mcp.CallToolResult {
	text, err := json.Marshal(o)
	if err != nil { // cannot be: texts, and JSON that was checked
		text = []byte(`{"behavior":"deny","message":"internal error"}`)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(text)}}}
}

// keepPatient tells a client from time to time that its call goes on, if it wants to know, until stop is called.
func keepPatient(ctx context.Context, call *mcp.CallToolRequest) (stop func()) {
	token := call.Params.GetProgressToken()
	if token == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := call.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: token, Progress: float64(n), Message: "waiting for an answer",
			})
			if err != nil {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
