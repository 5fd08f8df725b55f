package plugintest_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEcho(t *testing.T) {
	t.Parallel()
	plugintest.TestFactory(t, echo.Factory())
	plugintest.TestFactory(t, echo.Factory(), plugintest.Table(map[string]any{"prefix": "> ", "delay": 0}))
}

func TestClaudeAPI(t *testing.T) {
	t.Parallel()
	up := new(providertest.Upstream)
	defer up.Close()
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret("sk-ant-fake")
	plugintest.TestFactory(t, claudeapi.Factory(), plugintest.Build(
		ccproxy.WithTransport(up.Transport()), ccproxy.WithPluginConfig(claudeapi.Name, *cfg),
	))
}

func TestPluginThatNeedsAnother(t *testing.T) {
	t.Parallel()
	m := ccproxy.Manifest{Name: "needy", Description: "needs echo", Dependencies: []string{echo.Name}, DefaultOff: true}
	m.Configure = func(_ any, m *ccproxy.Manifest) error {
		m.Routes = []ccproxy.RouteSpec{{
			Prefix: "/needy", Endpoints: []ccproxy.Endpoint{{}, {Method: "POST", Pattern: "/{id}"}},
			New: func(*ccproxy.PluginContext) (http.Handler, error) {
				return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), nil
			},
		}}
		return nil
	}
	plugintest.TestFactory(t, ccproxy.NewFactory(m, nil), plugintest.Plugins(echo.Factory()))
}

func TestGreeter(t *testing.T) {
	t.Parallel()
	checkGreeter(t)
}

// spoiled is a plugin with one defect.
type spoiled struct {
	defect string
	shared *spoiled
	calls  int
}

type spoiledConfig struct {
	Key ccproxy.Secret `toml:"key"`
	N   int            `toml:"n"`
}

func (s *spoiled) Manifest() ccproxy.Manifest {
	s.calls++
	m := ccproxy.Manifest{Name: "spoiled", Description: "has a defect"}
	switch s.defect {
	case "manifest that changes":
		m.Provides = make([]string, s.calls%2)
		for i := range m.Provides {
			m.Provides[i] = "svc"
		}
	case "no description":
		m.Description = ""
	case "shared configuration":
		shared := new(struct{ X int })
		m.Config = ccproxy.ConfigFor(func() *struct{ X int } { return shared })
	case "dead route":
		m.Routes = []ccproxy.RouteSpec{{Prefix: "/dead", Endpoints: []ccproxy.Endpoint{{}}, New: func(*ccproxy.PluginContext) (http.Handler, error) {
			return http.NotFoundHandler(), nil
		}}}
	case "route that panics":
		m.Routes = []ccproxy.RouteSpec{{
			Prefix: "/echo", Endpoints: []ccproxy.Endpoint{{Method: http.MethodPost}},
			New: func(*ccproxy.PluginContext) (http.Handler, error) {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if body, err := io.ReadAll(r.Body); err != nil || string(body) == "null" {
						panic("null")
					}
				}), nil
			},
		}}
	case "hook that panics":
		m.Hooks = []ccproxy.HookSpec{{New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
			return hooks.On("greedy", func(_ context.Context, _ *hooks.Context, e *hooks.RequestCompleted) error {
				_ = e.Usage.InputTokens
				return nil
			}), nil
		}}}
	case "hook that hangs":
		m.Hooks = []ccproxy.HookSpec{{Timeout: time.Minute, New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
			return hooks.On("slow", func(context.Context, *hooks.Context, *hooks.RequestCompleted) error { select {} }), nil
		}}}
	case "logs a secret":
		m.Config = ccproxy.ConfigFor(func() *spoiledConfig { return new(spoiledConfig) })
	}
	return m
}

func (s *spoiled) CreateRuntime() ccproxy.Plugin {
	if s.defect == "shared runtime" {
		return s.shared
	}
	return &spoiled{defect: s.defect}
}

func (s *spoiled) Initialize(ctx context.Context, pc *ccproxy.PluginContext) error {
	switch s.defect {
	case "leak":
		go func() { select {} }()
	case "opts out":
		return ccproxy.ErrSkip
	case "no start":
		return context.DeadlineExceeded
	case "needs a network":
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://example.com", http.NoBody)
		if err != nil {
			return err
		}
		resp, _ := pc.HTTPClient.Do(req)
		_ = resp.StatusCode
	case "logs a secret":
		cfg, err := ccproxy.ConfigOf[spoiledConfig](pc)
		if err != nil {
			return err
		}
		pc.Logger.Info("using", "key", cfg.Key.Reveal())
	}
	return nil
}

func (s *spoiled) Shutdown(context.Context) error {
	if s.defect == "no stop" {
		return context.DeadlineExceeded
	}
	return nil
}

func (s *spoiled) HealthCheck(context.Context) ccproxy.Health {
	if s.defect == "sick" {
		return ccproxy.Health{Status: ccproxy.HealthFail}
	}
	return ccproxy.Health{}
}

// The suite fails a plugin with any of these defects. Each is tried in a process of its own, whose test must fail.
func TestDefectsAreFound(t *testing.T) {
	t.Parallel()
	defects := map[string]string{ // to the part of the suite that finds it
		"manifest that changes": "manifest", "no description": "manifest", "shared configuration": "manifest", "shared runtime": "runtimes",
		"dead route": "life", "sick": "life", "opts out": "life", "no start": "life", "no stop": "life", "leak": "goroutines",
		"route that panics": "requests", "hook that panics": "hooks", "hook that hangs": "hooks",
		"needs a network": "no network", "logs a secret": "requests",
	}
	const variable = "PLUGINTEST_DEFECT"
	if defect := os.Getenv(variable); defect != "" {
		table := map[string]any{}
		if defect == "logs a secret" {
			table["key"] = "key-of-the-spoiled"
		}
		up := new(providertest.Upstream)
		defer up.Close()
		plugintest.TestFactory(t, &spoiled{defect: defect, shared: &spoiled{}}, plugintest.Table(table),
			plugintest.Build(ccproxy.WithTransport(up.Transport())))
		return
	}
	plugintest.TestFactory(t, &spoiled{})
	for defect, part := range defects {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v",
			"-test.run=^TestDefectsAreFound$/^"+strings.ReplaceAll(part, " ", "_")+"$")
		cmd.Env = append(os.Environ(), variable+"="+defect)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--- FAIL: TestDefectsAreFound/"+strings.ReplaceAll(part, " ", "_")) {
			t.Errorf("defect %q was not found by %q: %v\n%s", defect, part, err, out)
		}
	}
}
