package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// upstreamAt is a provider of an API that speaks Anthropic Messages.
func upstreamAt(name, baseURL string) ccproxy.Factory {
	return providers.New(ccproxy.Manifest{Name: name, Kind: ccproxy.KindProvider}, providers.Upstream{
		BaseURL: baseURL, Formats: []adapters.Format{adapters.AnthropicMessages},
		DefaultHeader: http.Header{"Anthropic-Version": {"2023-06-01"}},
		Credentials:   providers.HeaderKey("X-Api-Key", ccproxy.NewSecret("key of "+name)),
	})
}

// A refusal is tried again once, then another provider is asked; after three failures in a row the first one is left
// alone for a minute.
func ExampleFallback() {
	calls := 0
	up := providertest.Upstream{Handler: func(r providertest.Request) providertest.Reply {
		if r.Host != "main.example" {
			return nil // an answer
		}
		calls++
		return providertest.Error(http.StatusServiceUnavailable, "overloaded_error", "Overloaded", nil)
	}}
	defer up.Close()
	var reg ccproxy.Registry
	_ = reg.Register(upstreamAt("main", "https://main.example"), upstreamAt("spare", "https://spare.example"))
	proxy, err := reg.Build(ccproxy.Settings{
		Retries:   ccproxy.Retries{RetryPolicy: ccproxy.RetryPolicy{Max: 1, BaseDelay: time.Millisecond}},
		Fallbacks: []ccproxy.Fallback{{Match: "large-", Kind: "prefix", Targets: []string{"spare/medium"}}},
		Breakers: ccproxy.Breakers{Providers: map[string]ccproxy.BreakerPolicy{
			"main": {Failures: 3, Cooldown: time.Minute},
		}},
	}, ccproxy.WithTransport(up.Transport()))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	for range 3 {
		body := `{"model":"large-1","max_tokens":9,"messages":[{"role":"user","content":"hello"}]}`
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/main/v1/messages", strings.NewReader(body)))
		fmt.Println(w.Code, "by", w.Header().Get("X-CCProxy-Answered-By"), "after", calls, "calls of main")
	}
	// Output:
	// 200 by spare/medium after 2 calls of main
	// 200 by spare/medium after 3 calls of main
	// 200 by spare/medium after 3 calls of main
}
