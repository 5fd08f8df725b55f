package ccproxy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
)

type greeter interface{ Greet() string }

type english struct{}

func (english) Greet() string { return "hello" }

func TestServices(t *testing.T) {
	t.Parallel()
	provider := &actor{init: func(_ context.Context, pc *ccproxy.PluginContext) error {
		for name, want := range map[string]error{"other": ccproxy.ErrInvalidManifest, "": ccproxy.ErrInvalidManifest} {
			if err := pc.Provide(name, 1); !errors.Is(err, want) {
				t.Errorf("Provide(%q) = %v, want %v", name, err, want)
			}
		}
		if err := pc.Provide("greeter", nil); !errors.Is(err, ccproxy.ErrInvalidManifest) {
			t.Errorf("Provide(nil) = %v", err)
		}
		return pc.Provide("greeter", english{})
	}}
	rival := &actor{init: func(_ context.Context, pc *ccproxy.PluginContext) error {
		err := pc.Provide("greeter", english{})
		if !errors.Is(err, ccproxy.ErrDuplicate) || !strings.Contains(err.Error(), "provider") {
			t.Errorf("second Provide = %v, want ErrDuplicate that names the owner", err)
		}
		return nil
	}}
	user := &actor{}
	p := running(t, ccproxy.Settings{}, []ccproxy.Factory{
		playedBy(ccproxy.Manifest{Name: "provider", Provides: []string{"greeter"}}, provider),
		playedBy(ccproxy.Manifest{Name: "rival", Provides: []string{"greeter"}}, rival),
		playedBy(ccproxy.Manifest{Name: "a_user", Requires: []string{"greeter"}}, user),
	})
	if g, err := ccproxy.ServiceOf[greeter](user.pc, "greeter"); err != nil || g.Greet() != "hello" {
		t.Errorf("ServiceOf = %v, %v", g, err)
	}
	if _, err := ccproxy.ServiceOf[error](user.pc, "greeter"); !errors.Is(err, ccproxy.ErrServiceType) {
		t.Errorf("ServiceOf a wrong type = %v", err)
	}
	if _, err := ccproxy.ServiceOf[greeter](user.pc, "nothing"); !errors.Is(err, ccproxy.ErrUnknownService) {
		t.Errorf("ServiceOf of nothing = %v", err)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := ccproxy.ServiceOf[greeter](user.pc, "greeter"); !errors.Is(err, ccproxy.ErrUnknownService) {
		t.Errorf("ServiceOf after the shutdown = %v", err)
	}
	if err := provider.pc.Provide("greeter", english{}); !errors.Is(err, ccproxy.ErrState) {
		t.Errorf("Provide after the shutdown = %v", err)
	}
}

func TestPluginContext(t *testing.T) {
	t.Parallel()
	a := &actor{}
	running(t, ccproxy.Settings{Plugins: map[string]map[string]any{"full": {"count": 5}, "other": {"enabled": true}}}, []ccproxy.Factory{
		playedBy(ccproxy.Manifest{Name: "full", Config: ccproxy.ConfigFor(fullDefaults)}, a), plain(ccproxy.Manifest{Name: "other"}),
	}, ccproxy.WithPublicURL("https://example.com/llm/"))
	if a.pc.Name() != "full" || a.pc.Manifest().Name != "full" || a.pc.PublicURL() != "https://example.com/llm" {
		t.Errorf("context of %q, manifest of %q, at %q", a.pc.Name(), a.pc.Manifest().Name, a.pc.PublicURL())
	}
	if _, err := ccproxy.ConfigOf[innerConfig](a.pc); !errors.Is(err, ccproxy.ErrServiceType) {
		t.Errorf("ConfigOf a wrong type = %v", err)
	}
	if rt, err := ccproxy.RuntimeOf[*actor](a.pc); rt != a || err != nil {
		t.Errorf("RuntimeOf = %v, %v", rt, err)
	}
	if _, err := ccproxy.RuntimeOf[*eventLogPlugin](a.pc); !errors.Is(err, ccproxy.ErrServiceType) {
		t.Errorf("RuntimeOf a wrong type = %v", err)
	}
	if diff := cmp.Diff(map[string]map[string]any{"full": {"count": 5}}, a.pc.Settings.Plugins); diff != "" {
		t.Errorf("settings that the plugin sees (-want +got):\n%s", diff)
	}
	missing := []string{}
	for name, absent := range map[string]bool{
		"Logger": a.pc.Logger == nil, "HTTPClient": a.pc.HTTPClient == nil, "Hooks": a.pc.Hooks == nil, "Formats": a.pc.Formats == nil,
		"OAuth": a.pc.OAuth == nil, "Plugins": a.pc.Plugins == nil, "CLI": a.pc.CLI == nil, "Tracer": a.pc.Tracer == nil, "Streams": a.pc.Streams == nil,
	} {
		if absent {
			missing = append(missing, name)
		}
	}
	if len(missing) != 0 {
		t.Errorf("core services that are nil: %v", missing)
	}
	var names []string
	for _, m := range a.pc.Plugins.Manifests() {
		names = append(names, m.Name)
	}
	if diff := cmp.Diff([]string{"full", "other"}, names); diff != "" || len(a.pc.Plugins.Statuses()) != 2 {
		t.Errorf("plugins (-want +got):\n%s", diff)
	}
}

type eventLogPlugin struct{ ccproxy.Plugin }
