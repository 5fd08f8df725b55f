package providers_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// running is a proxy in front of an upstream that is in memory.
func running(
	up *providertest.Upstream, settings ccproxy.Settings, opts []ccproxy.Option, factories ...ccproxy.Factory,
) (proxy *ccproxy.Proxy, stop func()) {
	var reg ccproxy.Registry
	if err := reg.Register(factories...); err != nil {
		log.Fatal(err)
	}
	proxy, err := reg.Build(settings, append([]ccproxy.Option{ccproxy.WithTransport(up.Transport())}, opts...)...)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := proxy.Start(ctx); err != nil {
		log.Fatal(err)
	}
	return proxy, func() {
		if err := errors.Join(proxy.Shutdown(ctx), up.Close()); err != nil {
			fmt.Println(err)
		}
	}
}

// hello is a client's request below a path of the proxy.
func hello(proxy http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(
		`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}`)))
	return w
}

// acmeConfig is the table [plugins.acme].
type acmeConfig struct {
	BaseURL string         `toml:"base_url" validate:"required,http_url"`
	APIKey  ccproxy.Secret `toml:"api_key"`
}

// acmeUpstream is a gateway to Anthropic's API that cannot count tokens: the proxy estimates their number then.
func acmeUpstream(c *acmeConfig) (providers.Upstream, error) {
	if c.APIKey.IsZero() {
		return providers.Upstream{}, fmt.Errorf("%w: no api_key", ccproxy.ErrSkip) // it does not run
	}
	return providers.Upstream{
		BaseURL: c.BaseURL, Formats: []adapters.Format{adapters.AnthropicMessages},
		Credentials: providers.HeaderKey("X-Api-Key", c.APIKey),
		Path: func(op ccproxy.Operation, f adapters.Format) string {
			if op == ccproxy.OpCountTokens {
				return ""
			}
			return providers.DefaultPath(op, f)
		},
		DefaultHeader: http.Header{"Anthropic-Version": {"2023-06-01"}},
		Models:        []ccproxy.Model{{ID: "acme-large"}}, ModelsPath: "-",
	}, nil
}

// A provider is a manifest, a configuration, and what upstream follows from it.
func ExampleConfigured() {
	factory := providers.Configured(ccproxy.Manifest{
		Name: "acme", Description: "Acme's gateway",
		Config: ccproxy.ConfigFor(func() *acmeConfig { return &acmeConfig{BaseURL: "https://acme.example"} }),
	}, []adapters.Format{adapters.AnthropicMessages}, acmeUpstream)

	up := new(providertest.Upstream)
	proxy, stop := running(up, ccproxy.Settings{
		Plugins: map[string]map[string]any{"acme": {"api_key": "acme-key-0123456789"}},
	}, nil, factory)
	defer stop()
	fmt.Println(hello(proxy, "/acme/v1/messages").Code)
	sent, _ := up.Last()
	fmt.Println(sent.Host, sent.Path, sent.Header.Get("X-Api-Key"))
	fmt.Println(hello(proxy, "/acme/v1/messages/count_tokens").Code)
	// Output:
	// 200
	// acme.example /v1/messages acme-key-0123456789
	// 200
}
