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
		{"shouted bearer", `AUTHORIZATION: BEARER abcdefghijklmn`, `AUTHORIZATION: ` + r},
		{"rk", `rk-abcdefghijklmnop`, r},
		{"pk", `pk-abcdefghijklmnop`, r},
		{"GitHub", `ghp_abcdefghijklmnopqrstu gho_abcdefghijklmnopqrstu`, r + " " + r},
		{"GitHub of apps", `ghu_abcdefghijklmnopqrstu`, r},
		{"GitHub of servers", `ghs_abcdefghijklmnopqrstu`, r},
		{"GitHub refresh", `ghr_abcdefghijklmnopqrstu`, r},
		{"fine-grained", `github_pat_abcdefghijklmnopqrstu`, r},
		{"JWT", `eyJhbGciOiJI.eyJzdWIiOiIx.c2ln`, r},
		{"AWS", `AKIAABCDEFGHIJKLMNOP`, r},
		{"AWS for a while", `ASIAABCDEFGHIJKLMNOP`, r},
		{"Google", `AIzaabcdefghijklmnopqrstuvwxyz01234`, r},
		{"Slack", `xoxb-1234567890`, r},
		{"secret itself", `you sent hush-hush-1234`, `you sent ` + r},
		{"list", `{"x-api-key":["abc", "d"],"a":["b"]}`, `{"x-api-key":["` + r + `", "` + r + `"],"a":["b"]}`},
		{"several", `{"api_keys":["abc"],"tokens":["Hello"]}`, `{"api_keys":["` + r + `"],"tokens":["Hello"]}`},
		{"list of lists", `{"password":[["a"],{"b":1}]}`, `{"password":[["a"],{"b":1}]}`},
		{"number", `{"password":1234567,"secret":12,"max_tokens":1234567}`, `{"password":"` + r + `","secret":12,"max_tokens":1234567}`},
		{"escaped quotes", `{"a":"{\u0022password\u0022:\u0022b\u0022}"}`, `{"a":"{\"password\":\"` + r + `\"}"}`},
		{"escaped secret", `{"a":"hush-hush-12\u00334","b":"hush\/hush\/12\u0026"}`, `{"a":"` + r + `","b":"` + r + `"}`},
		{"secret in a URL", `/x/hush%2Fhush%2F12&?a=hush%2Fhush%2F12%26`, `/x/` + r + `?a=` + r},
		{"form", `client_id=x&client_secret=a%20b&scope=a+b`, `client_id=x&client_secret=` + r + `&scope=a+b`},
		{"form of bad names", `a=b&%zz=c`, `a=b&%zz=` + r},
		{"no form", `the password=hunter2`, `the password=hunter2`},
		{"task", `task-abcdefghijklmnop`, `task-abcdefghijklmnop`},
	}
	s := scrub.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := []byte(tt.in)
			if got := string(s.Body(in, scrub.Known("hush-hush-1234", "hush/hush/12&", "q"))); got != tt.want {
				t.Errorf("Body(%s) =\n%s, want\n%s", tt.in, got, tt.want)
			}
			if string(in) != tt.in {
				t.Errorf("the argument became %s", in)
			}
		})
	}
}

func TestRest(t *testing.T) {
	t.Parallel()
	const r = scrub.Redacted
	for in, want := range map[string]string{
		"wrong key hush-hush-12": "wrong key " + r, "wrong key hush": "wrong key " + r, "wrong key hus": "wrong key hus",
		"wrong key hush-hush-123x": "wrong key hush-hush-123x", "hush-hush-123": r, "": "", "other-secr": r, "x%2Fy%2Fabc": r,
	} {
		if got := scrub.Known("hush-hush-1234", "other-secret", "short", "x/y/abcdef").Rest(in); got != want {
			t.Errorf("Rest(%q) = %q, want %q", in, got, want)
		}
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
		out := s.Body(in, nil)
		if !json.Valid(out) {
			t.Errorf("%s became %s, which is no JSON", in, out)
		}
		if bytes.Contains(out, []byte(mark)) && !strings.Contains(other, mark) {
			t.Errorf("%s became %s", in, out)
		}
	})
}
