package ccproxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
)

// An upstream that follows no dialect says why it failed in a shape of its own: clients of all dialects get to read it.
func TestErrorsOfOtherShapes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, want string }{
		{"detail", `{"detail":"the model is being loaded"}`, "the model is being loaded"},
		{"message in detail", `{"detail":{"message":"too many tokens"}}`, "too many tokens"},
		{"bare message", `{"message":"no such route","code":7}`, "no such route"},
		{"string", `{"error":"model not found"}`, "model not found"},
		{"nothing", `{"ok":false}`, "the provider answered 400 Bad Request with a body that is not an error object"},
		{"page", `<html>secret place</html>`, "the provider answered 400 Bad Request with a body that is not an error object"},
	}
	for _, tt := range tests {
		for _, path := range []string{"/v1/messages", "/v1/chat/completions", "/v1/responses"} {
			t.Run(tt.name+path, func(t *testing.T) {
				t.Parallel()
				answer := func(*ccproxy.Call) *ccproxy.Answer {
					return &ccproxy.Answer{
						Status: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}},
						Body: io.NopCloser(strings.NewReader(tt.body)),
					}
				}
				p := running(t, ccproxy.Settings{}, []ccproxy.Factory{scripted{do: answer}.factory()})
				w := httptest.NewRecorder()
				p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/scripted"+path, strings.NewReader(
					`{"model":"m","max_tokens":9,"input":"hi","messages":[{"role":"user","content":"hi"}]}`)))
				var got struct {
					Error struct{ Type, Message string }
				}
				if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
					t.Fatalf("%d %s: %v", w.Code, w.Body, err)
				}
				if w.Code != http.StatusBadRequest || got.Error.Message != tt.want || got.Error.Type == "" {
					t.Errorf("%d %s, want %q", w.Code, w.Body, tt.want)
				}
			})
		}
	}
}
