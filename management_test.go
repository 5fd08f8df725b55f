package ccproxy_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// managed is a proxy with plugins in every state.
func managed(t *testing.T) *ccproxy.Proxy {
	t.Helper()
	bad := &actor{init: func(context.Context, *ccproxy.PluginContext) error { return errPlanned }}
	shy := &actor{init: func(context.Context, *ccproxy.PluginContext) error { return ccproxy.ErrSkip }}
	store := &actor{init: func(_ context.Context, pc *ccproxy.PluginContext) error { return pc.Provide("store", 1) }}
	return running(t, ccproxy.Settings{DisabledPlugins: []string{"off"}}, []ccproxy.Factory{
		echo.Factory(), playedBy(ccproxy.Manifest{Name: "bad", Version: "1.2.3"}, bad), playedBy(ccproxy.Manifest{Name: "shy"}, shy),
		plain(ccproxy.Manifest{Name: "off"}), plain(ccproxy.Manifest{Name: "lost", Requires: []string{"nothing"}}),
		playedBy(ccproxy.Manifest{Name: "store", Provides: []string{"store"}}, store),
		plain(ccproxy.Manifest{Name: "user", Requires: []string{"store"}, OptionalRequires: []string{"extra"}}),
	})
}

func TestManagementAnswers(t *testing.T) {
	t.Parallel()
	now := "2000-01-01T00:00:00Z" // when bubbles begin
	check := func(name, kind, version, status, state string) []any {
		return []any{map[string]any{
			"componentId": name, "componentType": kind, "status": status, "time": now, "output": state, "version": version,
		}}
	}
	listed := func(name, version, status, reason string) map[string]any {
		m := map[string]any{"name": name, "type": "plugin", "version": version, "status": status}
		if reason != "" {
			m["reason"] = reason
		}
		return m
	}
	state := func(name, version, kind, status, reason string, lists ...[]any) map[string]any {
		m := map[string]any{
			"name": name, "version": version, "type": kind, "status": status, "initialized": status == "active",
			"provides": []any{}, "requires": []any{}, "optional_requires": []any{},
		}
		for i, key := range []string{"provides", "requires", "optional_requires"} {
			if i < len(lists) && lists[i] != nil {
				m[key] = lists[i]
			}
		}
		if reason != "" {
			m["reason"] = reason
		}
		return m
	}
	const (
		failed  = "plugin bad: initialize: planned failure"
		lacking = `missing dependency: service "nothing"`
	)
	tests := []struct {
		path string
		want map[string]any
	}{
		{"/", map[string]any{"service": "ccproxy", "version": ccproxy.Version}},
		{"/health/live", map[string]any{"status": "pass", "version": ccproxy.Version, "output": "Application process is running"}},
		{"/health/ready", map[string]any{"status": "pass", "version": ccproxy.Version, "output": "Service is ready to accept traffic"}},
		{"/health", map[string]any{
			"status": "warn", "version": ccproxy.Version, "serviceId": "ccproxy", "description": "CCProxy API Server", "time": now,
			"checks": map[string]any{
				"service_container": []any{map[string]any{
					"componentId": "service-container", "componentType": "service", "status": "pass", "time": now, "version": ccproxy.Version,
				}},
				"plugin:bad":   check("bad", "system_plugin", "1.2.3", "fail", "failed"),
				"plugin:echo":  check("echo", "provider_plugin", "1.0.0", "pass", "active"),
				"plugin:shy":   check("shy", "system_plugin", "0.0.0", "pass", "skipped"),
				"plugin:store": check("store", "system_plugin", "0.0.0", "pass", "active"),
				"plugin:user":  check("user", "system_plugin", "0.0.0", "pass", "active"),
			},
		}},
		{"/plugins", map[string]any{"total": 7.0, "plugins": []any{
			listed("bad", "1.2.3", "failed", failed), listed("echo", "1.0.0", "active", ""), listed("lost", "0.0.0", "skipped", lacking),
			listed("off", "0.0.0", "disabled", "disabled via config"), listed("shy", "0.0.0", "skipped", "plugin opted out"),
			listed("store", "0.0.0", "active", ""), listed("user", "0.0.0", "active", ""),
		}}},
		{"/plugins/status", map[string]any{
			"initialization_order": []any{"bad", "echo", "shy", "store", "user"},
			"services":             map[string]any{"store": "store"},
			"plugins": []any{
				state("bad", "1.2.3", "system", "failed", failed), state("echo", "1.0.0", "provider", "active", ""),
				state("lost", "0.0.0", "system", "skipped", lacking, nil, []any{"nothing"}),
				state("off", "0.0.0", "system", "disabled", "disabled via config"), state("shy", "0.0.0", "system", "skipped", "plugin opted out"),
				state("store", "0.0.0", "system", "active", "", []any{"store"}),
				state("user", "0.0.0", "system", "active", "", nil, []any{"store"}, []any{"extra"}),
			},
		}},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := managed(t)
				if diff := cmp.Diff(tt.want, visited(t, p, tt.path)); diff != "" {
					t.Errorf("GET %s (-want +got):\n%s", tt.path, diff)
				}
				w := visit(p, http.MethodHead, tt.path, "")
				if w.Code != http.StatusOK {
					t.Errorf("HEAD %s = %d", tt.path, w.Code)
				}
				if strings.HasPrefix(tt.path, "/health") {
					if ct := w.Header().Get("Content-Type"); ct != "application/health+json" {
						t.Errorf("Content-Type of %s = %q", tt.path, ct)
					}
					if cc := w.Header().Get("Cache-Control"); cc != "no-cache, no-store, must-revalidate" {
						t.Errorf("Cache-Control of %s = %q", tt.path, cc)
					}
				}
			})
		})
	}
}

func TestManagementRefusals(t *testing.T) {
	t.Parallel()
	p := managed(t)
	tests := []struct {
		method, path string
		status       int
		says         string
	}{
		{http.MethodDelete, "/plugins/echo", http.StatusNotImplemented, "unregistered"},
		{http.MethodDelete, "/plugins/off", http.StatusNotImplemented, "unregistered"},
		{http.MethodDelete, "/plugins/nobody", http.StatusNotFound, "Plugin 'nobody' not found"},
		{http.MethodGet, "/plugins/nobody/health", http.StatusNotFound, "Plugin 'nobody' not found"},
		{http.MethodGet, "/plugins/%3Cb%3E%0D%0Ax/health", http.StatusNotFound, "Plugin '"},
		{http.MethodPost, "/plugins", http.StatusMethodNotAllowed, "GET"},
		{http.MethodPost, "/", http.StatusMethodNotAllowed, "GET"},
		{http.MethodGet, "/plugins/echo", http.StatusMethodNotAllowed, "DELETE"},
	}
	for _, tt := range tests {
		t.Run(tt.method+strings.ReplaceAll(tt.path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			w := visit(p, tt.method, tt.path, "")
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) || strings.ContainsAny(w.Body.String(), "\r") {
				t.Errorf("answer %d %s, want %d that says %q", w.Code, w.Body, tt.status, tt.says)
			}
		})
	}
}

func TestDisabledSystemHidesPlugins(t *testing.T) {
	t.Parallel()
	p := running(t, ccproxy.Settings{DisablePlugins: true}, []ccproxy.Factory{echo.Factory()})
	for path, status := range map[string]int{
		"/plugins": 404, "/plugins/status": 404, "/plugins/echo/health": 404, "/echo/v1/models": 404, "/": 200, "/health": 200, "/health/ready": 200,
	} {
		if got := visit(p, http.MethodGet, path, "").Code; got != status {
			t.Errorf("GET %s = %d, want %d", path, got, status)
		}
	}
	if got := visit(p, http.MethodDelete, "/plugins/echo", "").Code; got != http.StatusNotFound {
		t.Errorf("DELETE = %d", got)
	}
}
