package authoring_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// acmeConfig is the table [plugins.acme].
type acmeConfig struct {
	BaseURL string         `toml:"base_url" validate:"required,http_url"`
	APIKey  ccproxy.Secret `toml:"api_key" validate:"required"`
}

// acmeFormats are what the API speaks. The proxy converts the others.
func acmeFormats() []adapters.Format { return []adapters.Format{adapters.AnthropicMessages} }

func acmeFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "acme", Kind: ccproxy.KindProvider, Description: "Models of ACME",
		Config: ccproxy.ConfigFor(func() *acmeConfig { return &acmeConfig{BaseURL: "https://api.example.com"} }),
		Providers: []ccproxy.ProviderSpec{{
			Formats: acmeFormats(), SelfPrepared: true, New: newAcme,
			ModelRules: []ccproxy.ModelRule{{Match: "acme-", Kind: "prefix", Target: "anvil-1"}},
			Models:     []ccproxy.Model{{ID: "anvil-1", ContextWindow: 32768}},
		}},
	}, nil)
}

func newAcme(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
	cfg, err := ccproxy.ConfigOf[acmeConfig](pc)
	if err != nil {
		return nil, err
	}
	p, err := providers.NewProvider(pc, providers.Upstream{
		BaseURL: cfg.BaseURL, Formats: acmeFormats(), Credentials: providers.BearerKey(cfg.APIKey),
		DefaultHeader: http.Header{"Anthropic-Version": {"2023-06-01"}}, // for clients that send none
		Transformers:  []providers.Transformer{providers.TransformerFunc(withoutSeed)},
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// withoutSeed refuses what the API is known to get wrong.
func withoutSeed(_ context.Context, req *providers.Request) error {
	if strings.Contains(string(req.Body), `"seed"`) {
		return &ccproxy.Error{Status: http.StatusBadRequest, Message: "seed: ACME has none", Param: "seed"}
	}
	return nil
}

// A provider of an API over HTTP is a base URL, formats and credentials.
func Example_provider() {
	up := new(providertest.Upstream)
	defer up.Close()
	settings := ccproxy.Settings{Plugins: map[string]map[string]any{"acme": {"api_key": "key-of-acme"}}}
	proxy, stop := startWith(settings, []ccproxy.Option{ccproxy.WithTransport(up.Transport())}, acmeFactory())
	defer stop()
	chat := `{"model":"acme-large","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	fmt.Println(ask(proxy, "/acme/v1/chat/completions", chat).Code, up.Requests()[0].Path)
	refused := ask(proxy, "/acme/v1/messages", strings.Replace(hello, "{", `{"seed":1,`, 1))
	fmt.Println(refused.Code, strings.Contains(refused.Body.String(), "ACME has none"))
	// Output:
	// 200 /v1/messages
	// 400 true
}
