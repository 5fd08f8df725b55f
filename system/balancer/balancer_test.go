package balancer_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

// One request is refused with two accounts and answered with the third, over HTTP, in every dialect, whole and as a
// stream. Its client notices nothing, and hooks know whose account it was.
func TestSameRequest(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, path, body, end string }{
		{"messages", "/claude/v1/messages", message, "message_stop"},
		{
			"chat", "/claude/v1/chat/completions",
			`{"model":"claude-fake","messages":[{"role":"user","content":"Hello you"}]}`, "[DONE]",
		},
		{"responses", "/claude/v1/responses", `{"model":"claude-fake","input":"Hello you"}`, "response.completed"},
	}
	for _, tt := range tests {
		for _, stream := range []bool{false, true} {
			t.Run(tt.name+"/stream "+strconv.FormatBool(stream), func(t *testing.T) {
				t.Parallel()
				r := start(t, []string{"one", "two", "three"}, nil)
				server := httptest.NewServer(r)
				r.reply("one", refusal(http.StatusTooManyRequests, "Retry-After", "30"))
				r.reply("two", refusal(http.StatusUnauthorized))
				body := tt.body
				if stream {
					body = strings.Replace(body, "{", `{"stream":true,`, 1)
				}
				status, header, got := post(t, server, tt.path, body)
				if status != http.StatusOK || header.Get("Retry-After") != "" || stream && !strings.Contains(got, tt.end) {
					t.Errorf("%d %v %s", status, header, got)
				}
				if !strings.Contains(got, "Hello") && !strings.Contains(got, providertest.DefaultText) &&
					!strings.Contains(got, strings.Fields(providertest.DefaultText)[0]) {
					t.Errorf("answer %s", got)
				}
				if asked := r.asked(); asked != "one two three" {
					t.Errorf("asked %q, want one two three", asked)
				}
				server.Close()
				server.Client().CloseIdleConnections()
				r.stop(t)
				if len(r.ended) != 1 || r.ended[0].Account != "three" || r.ended[0].Attempts != 3 {
					t.Fatalf("completed: %+v", r.ended)
				}
				errs := []string{"1 429 true account one was refused", "2 401 true account two was refused"}
				if diff := cmp.Diff(errs, r.errors); diff != "" {
					t.Errorf("errors told to hooks (-want +got):\n%s", diff)
				}
				if len(r.events) != 1 || r.events[0].Account != "one" || r.events[0].Cooldown.For != 30*time.Second {
					t.Errorf("events: %+v", r.events)
				}
			})
		}
	}
}

func post(t *testing.T, server *httptest.Server, path, body string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(got)
}

// A cooldown lasts for as long as the upstream says, to the millisecond, and no longer than the rules allow.
func TestCooldownEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		reply   providertest.Reply
		refused int // requests before the account is left alone
		lasts   time.Duration
	}{
		{"seconds", refusal(429, "Retry-After", "30"), 1, 30 * time.Second},
		{"milliseconds", refusal(429, "Retry-After-Ms", "1500", "Retry-After", "2"), 1, 1500 * time.Millisecond},
		// Time in a bubble begins at midnight, when 2000 does.
		{"date", refusal(429, "Retry-After", "Sat, 01 Jan 2000 00:00:40 GMT"), 1, 40 * time.Second},
		{"none", refusal(429), 1, time.Minute},
		{"nonsense", refusal(429, "Retry-After", "soon"), 1, time.Minute},
		{"very long", refusal(429, "Retry-After", "99999999999999999999"), 1, time.Hour},
		{"overloaded", refusal(529), 1, 5 * time.Second},
		{"unavailable until", refusal(503, "Retry-After", "7"), 1, 7 * time.Second},
		{"refused twice", refusal(401), 2, time.Minute},
		{"no permission twice", refusal(403), 2, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := start(t, []string{"one", "two"}, nil)
				defer r.stop(t)
				r.reply("one", tt.reply)
				for range tt.refused {
					if w := r.ask(t); w.Code != http.StatusOK {
						t.Fatalf("%d %s", w.Code, w.Body)
					}
					if asked := r.asked(); asked != "one two" {
						t.Fatalf("asked %q, want one two", asked)
					}
				}
				r.reply("one", nil)
				time.Sleep(tt.lasts - time.Millisecond)
				if r.ask(t); r.asked() != "two" {
					t.Error("the account was used before its cooldown has ended")
				}
				time.Sleep(2 * time.Millisecond)
				if r.ask(t); r.asked() != "one" {
					t.Error("the account was not used after its cooldown has ended")
				}
			})
		})
	}
}

// What follows from a status, for the client and for the next account.
func TestStatuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status int
		asked  string // with four requests
		code   int    // of the first
	}{
		{400, "one one one one", 400},
		{401, "one two one two two two", 200},
		{402, "one two one two two two", 200},
		{404, "one one one one", 404},
		{413, "one one one one", 413},
		{429, "one two two two two", 200},
		{500, "one one two two", 500},
		{502, "one one two two", 502},
		{503, "one two two two two", 200},
		{529, "one two two two two", 200},
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := start(t, []string{"one", "two"}, nil)
				defer r.stop(t)
				r.reply("one", refusal(tt.status))
				code := r.ask(t).Code
				for range 3 {
					r.ask(t)
				}
				if asked := r.asked(); code != tt.code || asked != tt.asked {
					t.Errorf("status %d, asked %q; want %d, %q", code, asked, tt.code, tt.asked)
				}
			})
		})
	}
}

// A success forgets the failures before it.
func TestFailuresInARow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, []string{"one", "two"}, nil)
		defer r.stop(t)
		for range 5 {
			r.reply("one", refusal(401))
			r.ask(t)
			r.reply("one", nil)
			r.ask(t)
		}
		if asked := r.asked(); asked != strings.TrimSpace(strings.Repeat("one two one ", 5)) {
			t.Errorf("asked %q", asked)
		}
	})
}

// When no account is left clients are told so at once, when to come back, and in the words of the upstream where their
// own request was refused.
func TestExhausted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, []string{"one", "two", "three"}, nil)
		defer r.stop(t)
		r.reply("one", refusal(429, "Retry-After", "30"))
		r.reply("two", refusal(429, "Retry-After", "20"))
		r.reply("three", refusal(429, "Retry-After", "40"))
		w := r.ask(t)
		if w.Code != 429 || w.Header().Get("Retry-After") != "40" || !strings.Contains(w.Body.String(), "refused") {
			t.Errorf("first: %d %v %s", w.Code, w.Header(), w.Body)
		}
		r.asked()
		for _, path := range []string{"/claude/v1/messages", "/claude/v1/chat/completions", "/claude/v1/responses"} {
			w := r.call(t, http.MethodPost, path, `{"model":"m","max_tokens":1,"messages":[],"input":"x"}`)
			if w.Code != 429 || w.Header().Get("Retry-After") != "20" {
				t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
			}
		}
		if asked := r.asked(); asked != "" {
			t.Errorf("asked %q although nobody was left", asked)
		}
		if h := r.health(t); h != "unknown" {
			t.Errorf("health: %+v", h)
		}
		time.Sleep(20*time.Second + time.Millisecond)
		r.reply("two", nil)
		if w := r.ask(t); w.Code != http.StatusOK || r.asked() != "two" {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	})
}

// An upstream that refuses everybody is asked little more than once for each request, whatever the number of accounts,
// and not at all while its Retry-After runs.
func TestStorm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		with providertest.Reply
		most int // for 200 requests
	}{
		{"rate limit", refusal(429, "Retry-After", "60"), 4},
		{"overloaded", refusal(529), 4 + 200},
		{"failing", refusal(500), 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				accounts := []string{"a", "b", "c", "d"}
				r := start(t, accounts, nil)
				defer r.stop(t)
				for _, a := range accounts {
					r.reply(a, tt.with)
				}
				for range 200 {
					if w := r.ask(t); w.Code < 400 {
						t.Fatal(w.Code)
					}
				}
				if n := len(strings.Fields(r.asked())); n > tt.most {
					t.Errorf("%d requests to the upstream for 200 of clients, want at most %d", n, tt.most)
				}
			})
		})
	}
}

func TestStrategies(t *testing.T) {
	t.Parallel()
	tests := []struct{ strategy, asked, without string }{
		{"failover", "a a a a a a", "b b b b"},
		{"round_robin", "a b c a b c", "b c b c"},
		{"least_used", "a b c a b c", "b c b c"},
	}
	for _, tt := range tests {
		t.Run(tt.strategy, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := start(t, []string{"a", "b", "c"}, map[string]any{"strategy": tt.strategy})
				defer r.stop(t)
				for range 6 {
					r.ask(t)
					time.Sleep(time.Millisecond)
				}
				if asked := r.asked(); asked != tt.asked {
					t.Errorf("asked %q, want %q", asked, tt.asked)
				}
				if w := r.call(t, http.MethodPost, "/balancer/claude/a/disable", ""); w.Code != http.StatusOK {
					t.Fatalf("disable: %d %s", w.Code, w.Body)
				}
				for range 4 {
					r.ask(t)
					time.Sleep(time.Millisecond)
				}
				if asked := r.asked(); asked != tt.without {
					t.Errorf("without a: asked %q, want %q", asked, tt.without)
				}
			})
		})
	}
}

// The least used account is the one with the fewest answers under way, streams until their end.
func TestLeastUsedCountsAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, []string{"a", "b"}, map[string]any{"strategy": "least_used"})
		defer r.stop(t)
		gate := make(chan struct{})
		text := providertest.TextEvents("claude-fake", "One two three.")
		held := append(append([]providertest.Part{}, text[:3]...), providertest.Gate(gate))
		r.reply("a", providertest.Stream(append(held, text[3:]...)...))
		done := make(chan int)
		go func() {
			done <- r.call(t, http.MethodPost, "/claude/v1/messages", strings.Replace(message, "{", `{"stream":true,`, 1)).Code
		}()
		synctest.Wait()
		for range 3 {
			r.ask(t)
		}
		if asked := r.asked(); asked != "a b b b" {
			t.Errorf("asked %q, want a b b b", asked)
		}
		if s := r.states(t); s[0].Running != 1 || s[1].Running != 0 {
			t.Errorf("running: %+v", s)
		}
		close(gate)
		if code := <-done; code != http.StatusOK {
			t.Errorf("stream: %d", code)
		}
		if s := r.states(t); s[0].Running != 0 {
			t.Errorf("running after the end: %+v", s)
		}
	})
}

// Operators see accounts and switch them.
func TestRoutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, []string{"one", "two"}, nil)
		defer r.stop(t)
		r.reply("one", refusal(429, "Retry-After", "30"))
		r.ask(t)
		s := r.states(t)
		if s[0].State != "cooling" || s[0].Reason != "rate limit" || s[0].LastStatus != 429 || s[0].Refused != 1 ||
			s[0].Until != "2000-01-01T00:00:30Z" || s[1].State != "available" || s[1].Requests != 1 {
			t.Errorf("states: %+v", s)
		}
		r.reply("one", nil)
		r.asked()
		for _, step := range []struct{ path, asked string }{
			{"/balancer/claude/one/enable", "one"},
			{"/balancer/claude/one/disable", "two"},
			{"/balancer/claude/two/disable", ""},
			{"/balancer/claude/one/enable", "one"},
		} {
			if w := r.call(t, http.MethodPost, step.path, ""); w.Code != http.StatusOK {
				t.Errorf("%s: %d %s", step.path, w.Code, w.Body)
			}
			w := r.ask(t)
			if asked := r.asked(); asked != step.asked || (w.Code == http.StatusOK) != (asked != "") {
				t.Errorf("after %s: %d, asked %q; want %q", step.path, w.Code, asked, step.asked)
			}
		}
		for _, tt := range []struct {
			method, path, body string
			code               int
		}{
			{"POST", "/balancer/claude/three/enable", "", 404},
			{"POST", "/balancer/other/one/enable", "", 404},
			{"POST", "/balancer/claude/one/explode", "", 404},
			{"GET", "/balancer/claude/one/enable", "", 405},
			{"POST", "/balancer", "", 405},
			{"POST", "/balancer/claude/one/disable", strings.Repeat("x", 1<<20), 413},
		} {
			if w := r.call(t, tt.method, tt.path, tt.body); w.Code != tt.code {
				t.Errorf("%s %s: %d, want %d", tt.method, tt.path, w.Code, tt.code)
			}
		}
		if s := r.states(t); s[0].State != "available" {
			t.Errorf("a refused request has done something: %+v", s)
		}
	})
}

// Who may call models may not look at accounts without a key where there are keys, and switches none of them unless
// the settings say so: an account is off for everybody.
func TestRoutesAskForAKey(t *testing.T) {
	t.Parallel()
	const mine, yours = "a-key-of-mine-4711", "a-key-of-yours-4712"
	security := ccproxy.Security{Keys: []ccproxy.APIKey{
		{Name: "me", Value: ccproxy.NewSecret(mine)}, {Name: "you", Value: ccproxy.NewSecret(yours)},
	}}
	for _, tt := range []struct {
		name, method, path, key string
		admins                  []any
		code                    int
	}{
		{name: "look without a key", method: "GET", path: "/balancer", code: 401},
		{name: "switch without a key", method: "POST", path: "/balancer/a/b/disable", code: 401},
		{name: "look", method: "GET", path: "/balancer", key: mine, code: 200},
		{name: "switch", method: "POST", path: "/balancer/a/b/disable", key: mine, code: 403},
		{name: "look as an admin", method: "GET", path: "/balancer", key: mine, admins: []any{"me"}, code: 200},
		{name: "switch as an admin", method: "POST", path: "/balancer/a/b/enable", key: mine, admins: []any{"me"}, code: 404},
		{name: "look as another", method: "GET", path: "/balancer", key: yours, admins: []any{"me"}, code: 403},
		{name: "switch as another", method: "POST", path: "/balancer/a/b/enable", key: yours, admins: []any{"me"}, code: 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			if err := reg.Register(balancer.Factory()); err != nil {
				t.Fatal(err)
			}
			settings := ccproxy.Settings{Security: security}
			if tt.admins != nil {
				settings.Plugins = map[string]map[string]any{balancer.Name: {"admins": tt.admins}}
			}
			proxy, err := reg.Build(settings)
			if err != nil {
				t.Fatal(err)
			}
			if err := proxy.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = proxy.Shutdown(context.WithoutCancel(t.Context())) }()
			w, req := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, nil)
			if tt.key != "" {
				req.Header.Set("X-Api-Key", tt.key)
			}
			if proxy.ServeHTTP(w, req); w.Code != tt.code {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tt.code)
			}
		})
	}
}

// An account that nobody has logged in to is passed over, which is no call of the upstream.
func TestNoLogin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r rig
		var up providertest.Upstream
		defer up.Close()
		proxy := r.startAccounts(t, &up, ccproxy.Settings{},
			map[string]any{"name": "me", "oauth": "claude-api"}, map[string]any{"name": "team", "api_key": key("team")})
		defer proxy.Shutdown(t.Context())
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/claude/v1/messages", strings.NewReader(message)))
		if w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		w = httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/balancer", nil))
		if !bytes.Contains(w.Body.Bytes(), []byte(`"reason":"no credentials"`)) {
			t.Errorf("GET /balancer: %s", w.Body)
		}
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		if want := []string{"0 0 true account me has no credentials"}; !slices.Equal(r.errors, want) {
			t.Errorf("provider errors %q, want %q", r.errors, want)
		}
		if e := r.ended[0]; e.Attempts != 1 || e.Account != "team" {
			t.Errorf("%d calls, the last with %q, want one with team", e.Attempts, e.Account)
		}
	})
}

// Mistakes in the settings are told before anything runs, or where the plugin starts.
func TestMistakes(t *testing.T) {
	t.Parallel()
	one := map[string]any{"name": "one", "api_key": key("one")}
	tests := []struct {
		name     string
		accounts []any
		without  bool // the plugin balancer
		want     string
	}{
		{"same name", []any{one, one}, false, "plugins.claude_api.accounts[1]: another account has this name"},
		{"nothing", []any{map[string]any{"name": "x"}}, false, "either an api_key or an oauth account"},
		{"both", []any{map[string]any{"name": "x", "api_key": key("x"), "oauth": "y"}}, false, "either an api_key"},
		{"no name", []any{map[string]any{"api_key": key("x")}}, false, "accounts[0].name"},
		{"name", []any{map[string]any{"name": "a/b", "api_key": key("x")}}, false, "account name"},
		{"no balancer", []any{one}, true, "accounts need the plugin balancer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			factories := []ccproxy.Factory{claudeapi.Factory()}
			if !tt.without {
				factories = append(factories, balancer.Factory())
			}
			if err := reg.Register(factories...); err != nil {
				t.Fatal(err)
			}
			proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
				claudeapi.Name: {"accounts": tt.accounts},
			}}, ccproxy.WithStrictStart())
			if err == nil {
				err = proxy.Start(t.Context())
				_ = proxy.Shutdown(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "0123456789") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// An upstream that refuses with an error event, in a stream that began with 200, has refused.
func TestErrorEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, typ string
		state     string // of the account afterwards
		reason    string
		failures  int
		goesOn    bool // with the other account
	}{
		{"rate limit", "rate_limit_error", "cooling", "rate limit", 0, true},
		{"overloaded", "overloaded_error", "cooling", "upstream overloaded", 0, true},
		{"key", "authentication_error", "available", "", 1, true},
		{"trouble", "api_error", "available", "", 1, false},
		{"the request's own", "invalid_request_error", "available", "", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := start(t, []string{"one", "two"}, nil)
				defer r.stop(t)
				hello := providertest.Bytes(": hello\n\n")
				r.reply("one", providertest.Stream(hello, providertest.ErrorEvent(tt.typ, "refused")))
				w := r.call(t, http.MethodPost, "/claude/v1/messages", strings.Replace(message, "{", `{"stream":true,`, 1))
				if w.Code < 400 != tt.goesOn {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				if s := r.states(t)[0]; s.State != tt.state || s.Reason != tt.reason || s.Failures != tt.failures ||
					s.Running != 0 {
					t.Errorf("state: %+v", s)
				}
			})
		})
	}
}

// A stream that begins with an error of the account's goes on with the next one, for clients of every dialect.
func TestErrorEventsGoOn(t *testing.T) {
	t.Parallel()
	overloaded := providertest.Stream(providertest.Bytes(": hello\n\n"),
		providertest.ErrorEvent("overloaded_error", "refused"))
	text := providertest.TextEvents("claude-fake", "One two.")
	late := providertest.Stream(append(text[:3:3], providertest.ErrorEvent("overloaded_error", "refused"))...)
	own := providertest.Stream(providertest.ErrorEvent("invalid_request_error", "refused"))
	const (
		chat      = `{"model":"claude-fake","messages":[{"role":"user","content":"Hello"}]}`
		responses = `{"model":"claude-fake","input":"Hello"}`
	)
	dialects := []struct{ name, path, body, end, failure string }{
		{"messages", "/claude/v1/messages", message, "event: message_stop", "event: error"},
		{"chat", "/claude/v1/chat/completions", chat, "data: [DONE]", `data: {"error"`},
		{"responses", "/claude/v1/responses", responses, "event: response.completed", "event: response.failed"},
	}
	tests := []struct {
		name           string
		one, two       providertest.Reply
		asked          string
		status         int
		ends, failures int
		errors         []string
	}{
		{"second answers", overloaded, nil, "one two", 200, 1, 0, []string{"1 529 true account one was refused"}},
		{"second refuses, too", overloaded, overloaded, "one two", 529, 0, 0, []string{"1 529 true account one was refused", "2"}},
		{
			"second refuses with a status", overloaded, refusal(429, "Retry-After", "7"), "one two", 429, 0, 0,
			[]string{"1 529 true account one was refused", "2 429 false"},
		},
		{"the request's own", own, nil, "one", 400, 0, 0, []string{"1"}},
		{"after content", late, nil, "one", 200, 0, 1, []string{"1"}},
	}
	for _, d := range dialects {
		for _, tt := range tests {
			t.Run(d.name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := start(t, []string{"one", "two"}, nil)
					defer r.stop(t)
					r.reply("one", tt.one)
					r.reply("two", tt.two)
					w := r.call(t, http.MethodPost, d.path, strings.Replace(d.body, "{", `{"stream":true,`, 1))
					status := tt.status
					if status == 529 && d.name != "messages" {
						status = 503 // which is what the dialect has
					}
					if asked := r.asked(); asked != tt.asked || w.Code != status {
						t.Errorf("asked %q: %d %s, want %q and %d", asked, w.Code, w.Body, tt.asked, status)
					}
					if n, m := strings.Count(w.Body.String(), d.end), strings.Count(w.Body.String(), d.failure); n != tt.ends || m != tt.failures {
						t.Errorf("%d ends and %d failures, want %d and %d: %s", n, m, tt.ends, tt.failures, w.Body)
					}
					for _, s := range r.states(t) {
						if s.Running != 0 || s.Requests != int64(strings.Count(tt.asked, s.Name)) {
							t.Errorf("state: %+v", s)
						}
					}
					synctest.Wait()
					r.checkErrors(t, tt.errors)
				})
			})
		}
	}
}

// checkErrors compares the beginnings of what hooks were told of failures.
func (r *rig) checkErrors(t *testing.T, want []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	same := func(got, want string) bool { return strings.HasPrefix(got, want+" ") || got == want }
	if !slices.EqualFunc(r.errors, want, same) {
		t.Errorf("provider errors %q, want %q", r.errors, want)
	}
}
