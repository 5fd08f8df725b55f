package hooks_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// A journal of the proxy's life wants every event there is, and writes out those that it knows.
func ExampleEvents() {
	var reg hooks.Registry
	journal := hooks.Observe("journal", func(_ context.Context, hc *hooks.Context) error {
		switch p := hc.Payload.(type) {
		case *hooks.AppStartup:
			fmt.Println("started", p.Plugins)
		case *hooks.PluginLoaded:
			fmt.Println("loaded", p.Kind, p.Name, p.Version)
		case *hooks.PluginError:
			fmt.Println(p.Name, "failed to", p.Op+":", p.Err)
		case *hooks.PluginUnloaded:
			fmt.Println("unloaded", p.Name+":", p.Reason)
		case *hooks.AppShutdown:
			fmt.Println("stopping:", p.Reason)
		case *hooks.Custom: // of another plugin
			fmt.Println(p.Name, p.Data)
		default:
			fmt.Println(hc.Event)
		}
		return nil
	}, hooks.Events()...)
	if _, err := reg.Register(journal, hooks.Options{Plugin: "journal"}); err != nil {
		fmt.Println(err)
		return
	}

	for _, p := range []hooks.Payload{ // the proxy emits these, but for the custom one
		&hooks.PluginLoaded{Name: "claude", Version: "1.2.0", Kind: "provider"},
		&hooks.PluginError{Name: "metrics", Op: "initialize", Err: "port in use"},
		&hooks.AppStartup{Plugins: []string{"claude"}},
		&hooks.AppReady{},
		&hooks.Custom{Name: "budgets.exceeded", Data: "team-a"},
		&hooks.AppShutdown{Reason: "asked to"},
		&hooks.PluginUnloaded{Name: "claude", Reason: "shutdown"},
	} {
		reg.Emit(hooks.Context{Payload: p})
	}
	_ = reg.Close(context.Background())
	// Output:
	// loaded provider claude 1.2.0
	// metrics failed to initialize: port in use
	// started [claude]
	// app.ready
	// budgets.exceeded team-a
	// stopping: asked to
	// unloaded claude: shutdown
}

// Whoever emits an event of an exchange of their own takes what is secret out of it.
func ExampleSnapshotHeader() {
	u, _ := url.Parse("https://user:pass@example.com/v1/models?limit=5&api_key=k#top")
	request := &hooks.HTTPRequest{
		Method: http.MethodGet, URL: hooks.SafeURL(u),
		Header: hooks.SnapshotHeader(http.Header{"Authorization": {"Bearer k"}, "Accept": {"text/plain"}}),
	}
	show := func(h hooks.Header) {
		for name, value := range h.All() {
			fmt.Println(name+":", value)
		}
	}
	fmt.Println(request.Method, request.URL)
	show(request.Header)
	fmt.Println(hooks.SafeQuery("page=2&access_token=k"))
	// Output:
	// GET https://example.com/v1/models?limit=5&api_key=[REDACTED]
	// Accept: text/plain
	// Authorization: [REDACTED]
	// page=2&access_token=[REDACTED]
}
