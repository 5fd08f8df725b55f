package sdkcompat

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// target is one way for the SDK to reach an upstream.
type target struct {
	name    string
	baseURL string
	client  *http.Client
	apiKey  string

	upstream *providertest.Upstream // where the requests end up
}

// opener makes a target in front of an upstream of its own; what it starts ends with t.
type opener func(t *testing.T, upstream *providertest.Upstream) target

// openers is the list of targets. Every scenario runs over each of them and must have the same result.
func openers() []opener {
	return []opener{direct, mounted, inProcess}
}

// direct is the upstream without anything in between.
func direct(_ *testing.T, upstream *providertest.Upstream) target {
	return target{
		name: "direct", baseURL: "https://upstream.test", client: upstream.Client(), apiKey: "key",
		upstream: upstream,
	}
}

// mounted is the proxy below a path of a plain server.
func mounted(t *testing.T, upstream *providertest.Upstream) target {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/llm/", startProxy(t, upstream).Mount("/llm"))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return target{
		name: "mounted", baseURL: srv.URL + "/llm/claude/", client: srv.Client(), apiKey: "the client's own",
		upstream: upstream,
	}
}

// inProcess is the proxy as the transport of the SDK's own client.
func inProcess(t *testing.T, upstream *providertest.Upstream) target {
	t.Helper()
	client := &http.Client{Transport: startProxy(t, upstream).Transport()}
	return target{
		name: "in-process", baseURL: "http://proxy.test/claude/", client: client, apiKey: "the client's own",
		upstream: upstream,
	}
}

func startProxy(t *testing.T, upstream *providertest.Upstream) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory()); err != nil {
		t.Fatal(err)
	}
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret("key")
	proxy, err := reg.Build(ccproxy.Settings{},
		ccproxy.WithTransport(upstream.Transport()), ccproxy.WithPluginConfig(claudeapi.Name, *cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return proxy
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, open := range openers() {
		testMessages(t, open)
	}
}

// sdk returns the SDK's client for tg. It does not retry and reads nothing from the environment,
// unless opts say so.
func (tg target) sdk(opts ...option.RequestOption) anthropic.Client {
	return anthropic.NewClient(append([]option.RequestOption{
		option.WithoutEnvironmentDefaults(),
		option.WithBaseURL(tg.baseURL),
		option.WithHTTPClient(tg.client),
		option.WithAPIKey(tg.apiKey),
		option.WithMaxRetries(0),
	}, opts...)...)
}
