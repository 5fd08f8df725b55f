package ccproxy_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

// cliTable is a detector that knows what is in it.
type cliTable map[string]ccproxy.CLI

func (c cliTable) Detect(_ context.Context, name string) (ccproxy.CLI, error) {
	cli, ok := c[name]
	if !ok {
		return cli, exec.ErrNotFound
	}
	return cli, nil
}

func TestProviderHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := claudeapi.DefaultConfig()
		cfg.APIKey = ccproxy.NewSecret(secretCanary)
		p := running(t, ccproxy.Settings{}, []ccproxy.Factory{claudeapi.Factory()}, ccproxy.WithPluginConfig(claudeapi.Name, *cfg),
			ccproxy.WithCLIDetector(cliTable{"claude": {Path: "/bin/claude", Version: "1.2.3"}}))
		visited(t, p, "/plugins/claude_api/health") // the first asks for the program
		synctest.Wait()
		want := map[string]any{
			"plugin": "claude_api", "status": "healthy", "adapter_loaded": true,
			"details": map[string]any{
				"type": "provider", "initialized": true, "state": "active", "has_adapter": true, "has_detection": true,
				"has_credentials": true, "cli_version": "1.2.3", "cli_path": "/bin/claude",
			},
		}
		if diff := cmp.Diff(want, visited(t, p, "/plugins/claude_api/health")); diff != "" {
			t.Errorf("health (-want +got):\n%s", diff)
		}
	})
}

func TestHealthOfAProviderThatDoesNotRun(t *testing.T) {
	t.Parallel()
	broken := providerSpec("broken")
	broken.New = newOf[ccproxy.Provider](nil, func(context.Context) error { return errPlanned })
	p := running(t, ccproxy.Settings{DisabledPlugins: []string{"off"}}, []ccproxy.Factory{
		plain(ccproxy.Manifest{Name: "off", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{providerSpec("off")}}),
		plain(ccproxy.Manifest{Name: "broken", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{providerSpec("fine"), broken}}),
	})
	none := func(state, reason string) map[string]any {
		return map[string]any{
			"type": "provider", "initialized": false, "state": state, "has_adapter": false, "has_detection": false, "has_credentials": false,
			"cli_version": nil, "cli_path": nil, "error": reason,
		}
	}
	reason := "plugin broken: providers: planned failure"
	brokenDetails := none("failed", reason)
	brokenDetails["output"] = reason
	for name, want := range map[string]map[string]any{
		"off":    {"plugin": "off", "status": "unknown", "adapter_loaded": false, "details": none("disabled", "disabled via config")},
		"broken": {"plugin": "broken", "status": "unhealthy", "adapter_loaded": false, "details": brokenDetails},
	} {
		if diff := cmp.Diff(want, visited(t, p, "/plugins/"+name+"/health")); diff != "" {
			t.Errorf("health of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestHealthOfAnAuthPlugin(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{plain(ccproxy.Manifest{
		Name: "login", Kind: ccproxy.KindAuth,
		OAuthProviders: []ccproxy.OAuthProviderSpec{{Name: "idp", New: newOf[oauth.Provider](idleOAuth{name: "idp"}, noStep)}},
	})})
	want := map[string]any{
		"type": "auth_provider", "initialized": true, "state": "active",
		"oauth_provider_registered": true, "oauth_provider_names": []any{"idp"},
		"accounts": []any{map[string]any{"id": "idp", "provider": "idp", "state": "no_credentials"}},
		"output":   "account idp: no_credentials",
	}
	if diff := cmp.Diff(want, detailsOf(t, p, "login")); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}

func TestHealthChecks(t *testing.T) {
	t.Parallel()
	base := func(more map[string]any) map[string]any {
		d := map[string]any{"type": "system", "initialized": true, "state": "active"}
		maps.Copy(d, more)
		return d
	}
	tests := []struct {
		name    string
		check   func(context.Context) ccproxy.Health
		word    string
		whole   string // status in /health
		details map[string]any
	}{
		{"zero", func(context.Context) ccproxy.Health { return ccproxy.Health{} }, "healthy", "pass", base(nil)},
		{"warn", func(context.Context) ccproxy.Health {
			return ccproxy.Health{Status: ccproxy.HealthWarn, Output: "soon", Details: map[string]any{"n": 1}}
		}, "unknown", "warn", base(map[string]any{"output": "soon", "n": 1.0})},
		{
			"fail", func(context.Context) ccproxy.Health {
				return ccproxy.Health{Status: ccproxy.HealthFail, Output: "broken"}
			},
			"unhealthy", "fail", base(map[string]any{"output": "broken"}),
		},
		{
			"panic", func(context.Context) ccproxy.Health { panic("canary") },
			"unhealthy", "fail", base(map[string]any{"output": "health check: panic: value of type string"}),
		},
		{
			"goexit", func(context.Context) ccproxy.Health { runtime.Goexit(); return ccproxy.Health{} },
			"unhealthy", "fail", base(map[string]any{"output": "health check: goroutine exited"}),
		},
		{
			"obeys its context", func(ctx context.Context) ccproxy.Health {
				<-ctx.Done()
				return ccproxy.Health{Status: ccproxy.HealthFail, Output: "slow"}
			},
			"unhealthy", "fail", base(map[string]any{"output": "slow"}),
		},
		{"what cannot be marshalled", func(context.Context) ccproxy.Health {
			return ccproxy.Health{Details: map[string]any{"ch": make(chan int), "n": 1}}
		}, "healthy", "pass", base(map[string]any{"ch": "a value of type chan int", "n": 1.0})},
		{"what panics when marshalled", func(context.Context) ccproxy.Health {
			return ccproxy.Health{Details: map[string]any{"x": hostileJSON{}}}
		}, "unhealthy", "fail", base(map[string]any{"output": "health check: panic: value of type string"})},
		{"keys that are not its own", func(context.Context) ccproxy.Health {
			return ccproxy.Health{Details: map[string]any{"state": "perfect", "initialized": 3, "type": "god"}}
		}, "healthy", "pass", base(nil)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := running(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "sick"}, &actor{health: tt.check})})
				want := map[string]any{"plugin": "sick", "status": tt.word, "adapter_loaded": false, "details": tt.details}
				if diff := cmp.Diff(want, visited(t, p, "/plugins/sick/health")); diff != "" {
					t.Errorf("health (-want +got):\n%s", diff)
				}
				whole := visited(t, p, "/health")
				check := whole["checks"].(map[string]any)["plugin:sick"].([]any)[0].(map[string]any)
				if check["status"] != tt.whole {
					t.Errorf("/health says %v of the plugin, want %s", check, tt.whole)
				}
				if (whole["status"] == "pass") != (tt.whole == "pass") {
					t.Errorf("/health is %v with a plugin that is %s", whole["status"], tt.whole)
				}
			})
		})
	}
}

type hostileJSON struct{}

func (hostileJSON) MarshalJSON() ([]byte, error) { panic("canary") }

var _ json.Marshaler = hostileJSON{}

// However many ask, a check that hangs holds one goroutine, and is named.
func TestHealthCheckThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls journal
		p := running(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "sick"}, &actor{health: func(context.Context) ccproxy.Health {
			calls.add("check")
			<-release
			return ccproxy.Health{}
		}})})
		begun := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if w := visit(p, http.MethodGet, "/plugins/sick/health", ""); w.Code != http.StatusOK {
					t.Errorf("answer %d", w.Code)
				}
			})
		}
		wg.Wait()
		visited(t, p, "/health")
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("the answers took %v", took)
		}
		if n := len(calls.all()); n != 1 {
			t.Errorf("the check was called %d times while it hung", n)
		}
		got := visited(t, p, "/plugins/sick/health")
		abandoned, _ := got["details"].(map[string]any)["abandoned"].([]any)
		if got["status"] != "unhealthy" || len(abandoned) != 1 {
			t.Errorf("health = %v", got)
		}
		close(release)
		synctest.Wait()
		if got := visited(t, p, "/plugins/sick/health"); got["status"] != "healthy" || len(calls.all()) != 2 {
			t.Errorf("health after the check returned = %v", got)
		}
	})
}

func TestTasksShowInHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run := func(context.Context) error { panic("canary") }
		p := running(t, ccproxy.Settings{}, []ccproxy.Factory{plain(ccproxy.Manifest{Name: "busy", Tasks: []ccproxy.TaskSpec{{
			Name: "tick", Interval: time.Minute, Jitter: -1, New: newOf(run, noStep),
		}}})})
		time.Sleep(time.Minute + time.Second)
		want := []any{map[string]any{
			"name": "tick", "running": false, "interval_seconds": 60.0, "consecutive_failures": 1.0, "last_error": "panic of type string",
		}}
		if diff := cmp.Diff(want, detailsOf(t, p, "busy")["tasks"]); diff != "" {
			t.Errorf("tasks (-want +got):\n%s", diff)
		}
	})
}
