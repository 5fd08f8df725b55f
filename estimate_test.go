package ccproxy_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// counted is the answer to a request for the number of tokens, which must hold nothing else.
func counted(t *testing.T, h http.Handler, path, body string) int {
	t.Helper()
	rec := visit(h, http.MethodPost, path, body)
	var members map[string]int
	if err := json.Unmarshal(rec.Body.Bytes(), &members); err != nil || rec.Code != http.StatusOK || len(members) != 1 {
		t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
	}
	if got := rec.Header().Get("X-CCProxy-Estimated"); got != "tokens" || rec.Header().Get("Content-Type") != "application/json" {
		t.Errorf("header = %v", rec.Header())
	}
	return members["input_tokens"]
}

func userSays(content string) string {
	return `{"model":"m","messages":[{"role":"user","content":` + content + `}]}`
}

// The estimate of each kind of content, so that a change of the figures is a decision.
func TestEstimatedTokens(t *testing.T) {
	t.Parallel()
	open := &shelf{name: "open", formats: []adapters.Format{chat}}
	p := running(t, ccproxy.Settings{}, factoriesOf(open))
	image := `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + strings.Repeat("A", 4000) + `"}}`
	pdf := func(size int) string {
		return fmt.Sprintf(`[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":%q}}]`, strings.Repeat("A", size))
	}
	schema := `{"type":"object","properties":{"city":{"type":"string"}}}` // 57 bytes
	tests := []struct {
		name, body string
		want       int
	}{
		{"no message", `{"model":"m","messages":[]}`, 1},
		{"nothing said", userSays(`""`), 4},
		{"text", userSays(`"` + strings.Repeat("word ", 80) + `"`), 4 + 100},
		{"escapes are one letter", userSays(`"\u0041\u0042\n\n"`), 4 + 1},
		{"alphabets", userSays(`"привет мир!!"`), 4 + 5 + 1},
		{"Chinese", userSays(`"你好世界"`), 4 + 4},
		{"emoji", userSays(`"😀😀"`), 4 + 2},
		{"system", `{"model":"m","system":"abcd","messages":[]}`, 4 + 1},
		{"two turns", `{"model":"m","messages":[{"role":"user","content":"abcd"},{"role":"assistant","content":"abcd"}]}`, 10},
		{"image", userSays(`[` + image + `]`), 4 + 1600},
		{"two images and text", userSays(`[` + image + `,` + image + `,{"type":"text","text":"abcd"}]`), 4 + 3200 + 1},
		{"short document", userSays(pdf(100)), 4 + 1600},
		{"long document", userSays(pdf(200_000)), 4 + 4*1600},
		{"thinking", `{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"abcd","signature":"` + strings.Repeat("s", 900) + `"}]}]}`, 4 + 1},
		{"tool", `{"model":"m","messages":[],"tools":[{"name":"abcd","description":"abcdefgh","input_schema":` + schema + `}]}`, 12 + 1 + 2 + 19},
		{
			"call and result", `{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"abcd","input":{"a":1}}]},` +
				`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"abcdefgh"}]}]}`,
			4 + 12 + 1 + 3 + 4 + 12 + 2,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/open/v1/messages/count_tokens", "/v1/messages/count_tokens"} {
				if got := counted(t, p, path, test.body); got != test.want {
					t.Errorf("%s: %d tokens, want %d", path, got, test.want)
				}
			}
		})
	}
	t.Cleanup(func() {
		if len(took(open)) > 0 {
			t.Error("the provider was called")
		}
	})
}

// A provider that counts by itself is asked; one that says that it cannot is spared the error.
func TestWhoCountsTokens(t *testing.T) {
	t.Parallel()
	open := &shelf{name: "open", formats: []adapters.Format{chat}, list: models("g")}
	unable := scripted{models: []ccproxy.Model{{ID: "s"}}, fail: ccproxy.ErrUnsupported}
	r := newRig(t, rigSetup{plugins: append(factoriesOf(open), unable.factory())})
	rec := r.do(t, http.MethodPost, "/v1/messages/count_tokens", nil, strings.NewReader(asks("claude/x")))
	if rec.Code != http.StatusOK || rec.Header().Get("X-CCProxy-Estimated") != "" {
		t.Errorf("a provider that counts: %d %v", rec.Code, rec.Header())
	}
	r.completed(t)
	if got := r.last(t).Path; got != "/v1/messages/count_tokens" {
		t.Errorf("upstream path = %s", got)
	}
	for _, model := range []string{"g", "open/x", "scripted/s"} {
		if got := counted(t, r.proxy, "/v1/messages/count_tokens", asks(model)); got != 5 {
			t.Errorf("%s: %d tokens", model, got)
		}
		if end := r.completed(t); end.Provider == "" || end.Model != model || end.ResponseBytes == 0 {
			t.Errorf("request.completed = %+v", end)
		}
	}
}

func TestBadCounts(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, factoriesOf(&shelf{name: "open", formats: []adapters.Format{chat}}))
	for body, names := range map[string]string{
		`{"model":"m"}`: "messages", `{"model":"m","messages":[{"role":"x","content":""}]}`: "messages[0].role", `{`: "request body",
	} {
		rec := visit(p, http.MethodPost, "/open/v1/messages/count_tokens", body)
		wantError(t, rec, anthropicDialect, http.StatusBadRequest, "invalid_request_error", names)
		if strings.Contains(rec.Body.String(), "convert") || rec.Header().Get("X-CCProxy-Estimated") != "" {
			t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
		}
	}
	caller := ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "c", Models: []string{"other"}})
	rec := httptest.NewRecorder()
	p.ServeHTTP(rec, httptest.NewRequestWithContext(caller, http.MethodPost, "/open/v1/messages/count_tokens", strings.NewReader(asks("m"))))
	wantError(t, rec, anthropicDialect, http.StatusForbidden, "permission_error", "model")
}
