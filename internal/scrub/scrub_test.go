package scrub_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/internal/scrub"
)

func TestBody(t *testing.T) {
	t.Parallel()
	const r = scrub.Redacted
	tests := []struct{ name, in, want string }{
		{"nothing", `{"model":"m","max_tokens":9}`, `{"model":"m","max_tokens":9}`},
		{"member", `{"api_key":"abc","a":1}`, `{"api_key":"` + r + `","a":1}`},
		{"spelling", `{"X-Api-Key" : "abc","clientSecret":"d"}`, `{"X-Api-Key" : "` + r + `","clientSecret":"` + r + `"}`},
		{"escaped name", `{"api\u005fkey":"abc"}`, `{"api\u005fkey":"` + r + `"}`},
		{"escaped quote", `{"password":"a\"b","a":"c"}`, `{"password":"` + r + `","a":"c"}`},
		{"cut off", `{"password":"a\"b`, `{"password":"` + r + `"`},
		{"schema", `{"password":{"type":"string"}}`, `{"password":{"type":"string"}}`},
		{"empty", `{"password":""}`, `{"password":""}`},
		{"short token", `{"token":"Hello"}`, `{"token":"Hello"}`},
		{"long token", `{"token":"0123456789abcdef"}`, `{"token":"` + r + `"}`},
		{"arguments", `{"arguments":"{\"api_key\":\"abc\"}"}`, `{"arguments":"{\"api_key\":\"` + r + `\"}"}`},
		{"arguments cut off", `{"arguments":"{\"api_key\":\"abc`, `{"arguments":"{\"api_key\":\"` + r + `\""`},
		{"stream", "data: {\"api_key\":\"abc\"}\n\n", "data: {\"api_key\":\"" + r + "\"}\n\n"},
		{"shape", `my key is sk-ant-api03-abcdefghijkl, ok?`, `my key is ` + r + `, ok?`},
		{"bearer", `curl -H "Authorization: Bearer abcdefghijklmn"`, `curl -H "Authorization: ` + r + `"`},
		{"secret itself", `you sent hush-hush-1234`, `you sent ` + r},
		{"task", `task-abcdefghijklmnop`, `task-abcdefghijklmnop`},
	}
	s := scrub.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := []byte(tt.in)
			if got := string(s.Body(in, "hush-hush-1234", "q")); got != tt.want {
				t.Errorf("Body(%s) =\n%s, want\n%s", tt.in, got, tt.want)
			}
			if string(in) != tt.in {
				t.Errorf("the argument became %s", in)
			}
		})
	}
}

// FuzzBody looks for a secret that gets through as the value of a member, and for JSON that is none any more.
func FuzzBody(f *testing.F) {
	f.Add("a", `x\y"`, true)
	f.Add(`{"a":1}`, "\x00\n", false)
	s := scrub.New()
	f.Fuzz(func(t *testing.T, other, secret string, first bool) {
		const mark = "hunter2canary"
		members := []map[string]any{{"password": mark + secret}, {"other": other}}
		if first {
			members[0], members[1] = members[1], members[0]
		}
		in, err := json.Marshal(members)
		if err != nil {
			t.Skip()
		}
		out := s.Body(in)
		if !json.Valid(out) {
			t.Errorf("%s became %s, which is no JSON", in, out)
		}
		if bytes.Contains(out, []byte(mark)) && !strings.Contains(other, mark) {
			t.Errorf("%s became %s", in, out)
		}
	})
}
