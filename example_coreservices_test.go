package ccproxy_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// probe is a part of a plugin: it asks an API whether it is there. The plugin calls it with its pc.CoreServices.
func probe(ctx context.Context, core ccproxy.CoreServices, address string) ccproxy.HealthStatus {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return ccproxy.HealthFail
	}
	resp, err := core.HTTPClient.Do(req)
	if err != nil {
		core.Logger.WarnContext(ctx, "the API does not answer", "error", err)
		return ccproxy.HealthWarn
	}
	_ = resp.Body.Close()
	return ccproxy.HealthPass
}

// A part of a plugin that takes no more than services is tested without a proxy, with doubles of what it uses.
func ExampleCoreServices() {
	var up providertest.Upstream
	defer up.Close()
	core := ccproxy.CoreServices{Logger: slog.New(slog.DiscardHandler), HTTPClient: up.Client()}
	fmt.Println(probe(context.Background(), core, "https://api.example/v1/models"))
	up.Refuse(true)
	up.Client().CloseIdleConnections()
	fmt.Println(probe(context.Background(), core, "https://api.example/v1/models"))
	// Output:
	// pass
	// warn
}
