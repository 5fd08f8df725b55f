package balancer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/balancer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a proxy of Anthropic's API with some accounts, and the API.
type rig struct {
	*ccproxy.Proxy

	up providertest.Upstream

	mu      sync.Mutex
	replies map[string]providertest.Reply // by account; nil is an answer
	ended   []*hooks.RequestCompleted
	failed  []*hooks.RequestFailed
	events  []balancer.Event
	errors  []string
}

// key is the API key of an account.
func key(account string) string { return "key-of-" + account + "-0123456789" }

// start runs a proxy whose provider claude has the accounts, with the rules of a table.
func start(t *testing.T, accounts []string, rules map[string]any, more ...ccproxy.Factory) *rig {
	t.Helper()
	r := &rig{replies: make(map[string]providertest.Reply)}
	r.up.Handler = func(req providertest.Request) providertest.Reply {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.replies[req.Header.Get("X-Api-Key")]
	}
	var list []any
	for _, name := range accounts {
		list = append(list, map[string]any{"name": name, "api_key": key(name)})
	}
	s := ccproxy.Settings{Plugins: map[string]map[string]any{
		claudeapi.Name: {"base_url": "https://api.test", "accounts": list}, balancer.Name: rules,
	}}
	var reg ccproxy.Registry
	err := reg.Register(append(more, balancer.Factory(), claudeapi.Factory(), r.watch())...)
	if err != nil {
		t.Fatal(err)
	}
	r.Proxy, err = reg.Build(s, ccproxy.WithTransport(r.up.Transport()), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// stop ends proxy and API.
func (r *rig) stop(t *testing.T) {
	t.Helper()
	if err := r.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := r.up.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// watch notes what hooks are told.
func (r *rig) watch() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{Name: "watch", Hooks: []ccproxy.HookSpec{{
		New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
			return hooks.Observe("watch", func(_ context.Context, hc *hooks.Context) error {
				r.mu.Lock()
				defer r.mu.Unlock()
				switch p := hc.Payload.(type) {
				case *hooks.RequestCompleted:
					r.ended = append(r.ended, p)
				case *hooks.RequestFailed:
					r.failed = append(r.failed, p)
				case *hooks.ProviderError:
					r.errors = append(r.errors, fmt.Sprintf("%d %d %t %s", p.Attempt, p.Status, p.Retrying, p.Err))
				case *hooks.Custom:
					if e, ok := p.Data.(balancer.Event); ok && p.Name == "balancer.account" {
						r.events = append(r.events, e)
					}
				}
				return nil
			}, hooks.EventRequestCompleted, hooks.EventRequestFailed, hooks.EventCustom,
				hooks.EventProviderError), nil
		},
	}}}, nil)
}

// reply sets what the API answers an account.
func (r *rig) reply(account string, reply providertest.Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replies[key(account)] = reply
}

// asked are the accounts that the API was asked with since the last call.
func (r *rig) asked() string {
	var names []string
	for _, req := range r.up.Requests() {
		name, _, _ := strings.Cut(strings.TrimPrefix(req.Header.Get("X-Api-Key"), "key-of-"), "-0123")
		names = append(names, name)
	}
	r.up.Reset()
	return strings.Join(names, " ")
}

const message = `{"model":"claude-fake","max_tokens":9,"messages":[{"role":"user","content":"Hello you"}]}`

// ask sends a message.
func (r *rig) ask(t *testing.T) *httptest.ResponseRecorder {
	t.Helper()
	return r.call(t, http.MethodPost, "/claude/v1/messages", message)
}

func (r *rig) call(t *testing.T, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return w
}

// refusal is an answer of the API with a status.
func refusal(status int, header ...string) providertest.Reply {
	h := make(http.Header)
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return providertest.Error(status, "some_error", "refused", h)
}

// state is what GET /balancer shows of an account.
type state struct {
	Name, State, Reason string
	Until               string
	Failures, Running   int
	Requests, Refused   int64
	LastStatus          int `json:"last_status"`
}

func (r *rig) states(t *testing.T) []state {
	t.Helper()
	w := r.call(t, http.MethodGet, "/balancer", "")
	var shown struct {
		Providers []struct {
			Provider string
			Accounts []state
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &shown); err != nil || w.Code != http.StatusOK {
		t.Fatalf("GET /balancer: %d %s: %v", w.Code, w.Body, err)
	}
	if strings.Contains(w.Body.String(), "0123456789") {
		t.Errorf("a key is shown: %s", w.Body)
	}
	if len(shown.Providers) != 1 || shown.Providers[0].Provider != "claude" {
		t.Fatalf("GET /balancer: %s", w.Body)
	}
	return shown.Providers[0].Accounts
}

// health is that of the plugin.
func (r *rig) health(t *testing.T) string {
	t.Helper()
	w := r.call(t, http.MethodGet, "/plugins/balancer/health", "")
	var h struct{ Status string }
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil {
		t.Fatalf("health: %d %s: %v", w.Code, w.Body, err)
	}
	return h.Status
}

// startAccounts runs a proxy whose provider claude_api has accounts as settings have them.
func startAccounts(t *testing.T, up *providertest.Upstream, s ccproxy.Settings, accounts ...any) *ccproxy.Proxy {
	t.Helper()
	return new(rig).startAccounts(t, up, s, accounts...)
}

// startAccounts is the same for who wants to know what hooks are told.
func (r *rig) startAccounts(
	t *testing.T, up *providertest.Upstream, s ccproxy.Settings, accounts ...any,
) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(balancer.Factory(), claudeapi.Factory(), r.watch()); err != nil {
		t.Fatal(err)
	}
	s.Plugins = map[string]map[string]any{claudeapi.Name: {"base_url": "https://api.test", "accounts": accounts}}
	proxy, err := reg.Build(s, ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return proxy
}
