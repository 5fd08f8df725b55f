package claudesdk_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestDialects(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	tests := []struct {
		name, path, body string
		want             []string
		end              string
	}{
		{
			"messages", messages, `{"model":"sonnet","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}`,
			[]string{`"type":"message"`, `"text":"You said: hello"`, `"stop_reason":"end_turn"`, `"output_tokens":5`},
			"",
		},
		{
			"messages stream", messages, `{"model":"sonnet","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hello"}]}`,
			[]string{"event: message_start", `"text":"hello"`, `"total_cost_usd":0.005`},
			"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		},
		{
			"chat", chat, `{"model":"sonnet","messages":[{"role":"user","content":"hello"}]}`,
			[]string{`"object":"chat.completion"`, `"content":"You said: hello"`, `"finish_reason":"stop"`, `"completion_tokens":5`},
			"",
		},
		{
			"chat stream", chat, `{"model":"sonnet","stream":true,"messages":[{"role":"user","content":"hello"}]}`,
			[]string{`"object":"chat.completion.chunk"`, `"content":"hello"`, `"finish_reason":"stop"`},
			"data: [DONE]\n\n",
		},
		{
			"responses", responses, `{"model":"sonnet","input":"hello"}`,
			[]string{`"object":"response"`, `"text":"You said: hello"`, `"status":"completed"`, `"output_tokens":5`},
			"",
		},
		{
			"responses stream", responses, `{"model":"sonnet","stream":true,"input":"hello"}`,
			[]string{"event: response.output_text.delta", `"delta":"hello"`, "event: response.completed"},
			"}\n\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{tt.path, strings.Replace(tt.path, "/v1", "/s-"+tt.name[:4]+"/v1", 1)} {
				w := ask(t, p, path, "", tt.body)
				if w.Code != http.StatusOK || !strings.HasSuffix(w.Body.String(), tt.end) {
					t.Fatalf("%s: %d %s", path, w.Code, w.Body)
				}
				for _, want := range tt.want {
					if !strings.Contains(w.Body.String(), want) {
						t.Errorf("%s: no %s in %s", path, want, w.Body)
					}
				}
				if w.Header().Get("X-Claude-SDK-Response") != "true" {
					t.Errorf("%s: header %v", path, w.Header())
				}
			}
		})
	}
}
