package providertest_test

import (
	"net/http"
	"strings"
	"testing"
)

const (
	hello       = `{"model":"m-1","max_tokens":9,"messages":[{"role":"user","content":"Say hello please"}]}`
	helloStream = `{"model":"m-1","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"Hi"}]}`
	useTool     = `{"model":"m-1","max_tokens":9,"tools":[{"name":"weather"}],"messages":[` +
		`{"role":"user","content":[{"type":"text","text":"use tool weather."}]}]}`
	useOtherTool = `{"model":"m-1","max_tokens":9,"tools":[{"name":"weather"}],"messages":[` +
		`{"role":"user","content":"use tool weather2"}]}`
	toolResult = `{"model":"m-1","max_tokens":9,"tools":[{"name":"weather"}],"messages":[` +
		`{"role":"user","content":"use tool weather"},{"role":"assistant","content":[]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"9 degrees"}]}]}`
)

func TestUpstreamDefault(t *testing.T) {
	t.Parallel()
	const id = "000000000000000000000001"
	usage := func(in, out string) string {
		return `"usage":{"input_tokens":` + in + `,"cache_creation_input_tokens":0,` +
			`"cache_read_input_tokens":0,"output_tokens":` + out + `}}`
	}
	message := func(content, reason string) string {
		return `{"id":"msg_` + id + `","type":"message","role":"assistant","model":"m-1","content":[` + content +
			`],"stop_reason":"` + reason + `","stop_sequence":null,`
	}
	text := func(s string) string { return message(`{"type":"text","text":"`+s+`"}`, "end_turn") }
	greeting := text("Hello! How can I help you today?") + usage("3", "7")
	failure := func(typ, text string) string {
		return `{"type":"error","error":{"type":"` + typ + `","message":"` + text +
			`"},"request_id":"req_` + id + `"}`
	}
	model := func(n string) string {
		return `{"type":"model","id":"claude-fake-` + n + `","display_name":"claude fake ` + n +
			`","created_at":"2026-01-01T00:00:00Z"}`
	}
	tests := []struct {
		name, method, target, body string
		status                     int
		want                       string
	}{
		{"message", "POST", "/v1/messages", hello, 200, greeting},
		{"query", "POST", "/v1/messages?beta=true", hello, 200, greeting},
		{"tool", "POST", "/v1/messages", useTool, 200, message(`{"type":"tool_use","id":"toolu_`+id+
			`","name":"weather","input":{"request":"use tool weather."}}`, "tool_use") + usage("3", "3")},
		{"tool not offered", "POST", "/v1/messages", useOtherTool, 200, greeting},
		{
			"tool result", "POST", "/v1/messages", toolResult, 200,
			text("The tool answered: 9 degrees") + usage("5", "5"),
		},
		{"count", "POST", "/v1/messages/count_tokens", hello, 200, `{"input_tokens":3}`},
		{"models", "GET", "/v1/models", "", 200, `{"data":[` + model("3") + `,` + model("2") + `,` + model("1") +
			`],"has_more":false,"first_id":"claude-fake-3","last_id":"claude-fake-1"}`},
		{"models page", "GET", "/v1/models?limit=1&after_id=claude-fake-3", "", 200, `{"data":[` + model("2") +
			`],"has_more":true,"first_id":"claude-fake-2","last_id":"claude-fake-2"}`},
		{"models before", "GET", "/v1/models?limit=1&before_id=claude-fake-1", "", 200, `{"data":[` + model("2") +
			`],"has_more":true,"first_id":"claude-fake-2","last_id":"claude-fake-2"}`},
		{
			"models end", "GET", "/v1/models?after_id=claude-fake-1", "", 200,
			`{"data":[],"has_more":false,"first_id":null,"last_id":null}`,
		},
		{
			"models limit", "GET", "/v1/models?limit=0", "", 400,
			failure("invalid_request_error", "limit: must be a number from 1 to 1000"),
		},
		{"model", "GET", "/v1/models/claude-fake-2", "", 200, model("2")},
		{"model unknown", "GET", "/v1/models/gone", "", 404, failure("not_found_error", "model: gone")},
		{"path unknown", "POST", "/v1/other", "{}", 404, failure("not_found_error", "Not Found")},
		{"method unknown", "DELETE", "/v1/messages", "", 404, failure("not_found_error", "Not Found")},
		{
			"no model", "POST", "/v1/messages", `{"max_tokens":1}`, 400,
			failure("invalid_request_error", "model: Field required"),
		},
		{
			"no messages", "POST", "/v1/messages/count_tokens", `{"model":"m"}`, 400,
			failure("invalid_request_error", "messages: at least one message is required"),
		},
		{
			"no max_tokens", "POST", "/v1/messages", `{"model":"m","messages":[{"role":"user","content":"x"}]}`, 400,
			failure("invalid_request_error", "max_tokens: Field required"),
		},
		{"not JSON", "POST", "/v1/messages", `{}}`, 400, failure("invalid_request_error",
			"The request body is not valid JSON: invalid character '}' after top-level value")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t)
			res, body, err := do(t, up, newRequest(t.Context(), t, tt.method, tt.target, tt.body))
			if err != nil || res.StatusCode != tt.status {
				t.Fatalf("got %v, %v; want status %d", res, err, tt.status)
			}
			if body != tt.want {
				t.Errorf("body\n got %s\nwant %s", body, tt.want)
			}
			if got := res.Header.Get("Request-Id"); got != "req_"+id {
				t.Errorf("request-id = %q", got)
			}
			if res.Header.Get("Anthropic-Ratelimit-Requests-Remaining") == "" {
				t.Error("no rate limit headers")
			}
		})
	}
}

func TestUpstreamRequiredHeaders(t *testing.T) {
	t.Parallel()
	bearer := func(h http.Header) {
		h.Del("X-Api-Key")
		h.Set("Authorization", "Bearer t")
	}
	tests := []struct {
		name   string
		change func(http.Header)
		status int
		want   string
	}{
		{"api key", func(http.Header) {}, 200, `"type":"message"`},
		{"bearer", bearer, 200, `"type":"message"`},
		{"no credential", func(h http.Header) { h.Del("X-Api-Key") }, 401, `"type":"authentication_error"`},
		{"no version", func(h http.Header) { h.Del("Anthropic-Version") }, 400, `"anthropic-version: header is`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := newRequest(t.Context(), t, "POST", "/v1/messages", hello)
			tt.change(req.Header)
			res, body, err := do(t, newUpstream(t), req)
			if err != nil || res.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("got %v %s, %v; want %d with %s", res, body, err, tt.status, tt.want)
			}
		})
	}
}
