// Package openaicompat is the provider of APIs that speak OpenAI's formats: OpenAI itself, Ollama, vLLM, OpenRouter and
// many more, as several named instances.
//
// # Configuration
//
// Tables [plugins.openai_compat.instances.NAME]; see [Instance]. Without any the plugin opts out.
//
//	[plugins.openai_compat.instances.openai]
//	base_url = "https://api.openai.com/v1"
//	api_key = "…"
//	formats = ["openai.chat_completions", "openai.responses"]
//
// # Routes
//
// For each instance /NAME/v1/chat/completions, /NAME/v1/embeddings, /NAME/v1/models and, for those that speak it,
// /NAME/v1/responses; and the other client formats for which there are adapters.
//
// # Hooks
//
// None of its own.
//
// # Services
//
// It uses balancer where an instance has accounts.
package openaicompat

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/providers"
)

// Name is the plugin's name.
const Name = "openai_compat"

// Config is the plugin's configuration.
type Config struct {
	// Instances are the APIs by the names under which they are mounted.
	Instances map[string]Instance `toml:"instances" validate:"dive"`
}

// Instance is one API.
type Instance struct {
	// BaseURL is the address with its version, as OpenAI's own clients take it: "http://localhost:11434/v1". An
	// address without a version gets "/v1". Required.
	BaseURL string `toml:"base_url" validate:"required,http_url"`
	// APIKey is sent as a bearer token. Defaults to none.
	APIKey ccproxy.Secret `toml:"api_key"`
	// Accounts are several keys to spread requests over, see the plugin balancer; then APIKey is not used. Defaults to
	// none.
	Accounts providers.AccountConfigs `toml:"accounts" validate:"dive"`
	// Formats are which of openai.chat_completions and openai.responses the API speaks. Defaults to the former.
	Formats []string `toml:"formats" validate:"dive,oneof=openai.chat_completions openai.responses"`
	// Models are listed where the API lists none.
	Models []string `toml:"models" validate:"dive,required"`
	// ForwardHeaders are names of further request headers that go to the API; a name may end in "*".
	ForwardHeaders []string `toml:"forward_headers" validate:"dive,required"`
	// Headers are sent with every request, such as OpenRouter's HTTP-Referer.
	Headers map[string]string `toml:"headers"`
}

// Factory returns the plugin.
func Factory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: Name, Version: "1.0.0", Kind: ccproxy.KindProvider,
		Description: "APIs that speak OpenAI's formats, as many as you like",
		Config:      ccproxy.ConfigFor(func() *Config { return &Config{} }),
		Configure:   configure,

		OptionalRequires: providers.BalancerServices(),
	}, nil)
}

// configure declares a provider for each instance.
func configure(cfg any, m *ccproxy.Manifest) error {
	c, ok := cfg.(*Config)
	if !ok || len(c.Instances) == 0 {
		return fmt.Errorf("%w: no instances", ccproxy.ErrSkip)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Instances)) {
		instance := c.Instances[name]
		if err := instance.Accounts.Check("plugins." + Name + ".instances." + name + ".accounts"); err != nil {
			return err
		}
		m.Providers = append(m.Providers, ccproxy.ProviderSpec{
			Name: name, Formats: instance.formats(), SelfPrepared: true,
			New: func(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
				p, err := instance.provider(pc, name)
				if err != nil {
					return nil, fmt.Errorf("instances.%s: %w", name, err)
				}
				return p, nil
			},
		})
	}
	return nil
}

func (i Instance) provider(pc *ccproxy.PluginContext, name string) (*providers.Provider, error) {
	u := i.upstream()
	if len(i.Accounts) > 0 {
		source := func(s oauth.Source) providers.Credentials { return providers.FromSource(s, "") }
		var err error
		if u.Credentials, err = i.Accounts.Credentials(pc, name, providers.BearerKey, source); err != nil {
			return nil, err
		}
	}
	return providers.NewProvider(pc, u)
}

func (i Instance) formats() []adapters.Format {
	if len(i.Formats) == 0 {
		return []adapters.Format{adapters.OpenAIChatCompletions}
	}
	var out []adapters.Format
	for _, f := range i.Formats {
		out = append(out, adapters.Format(f))
	}
	return out
}

func (i Instance) upstream() providers.Upstream {
	u := providers.Upstream{
		BaseURL: strings.TrimRight(i.BaseURL, "/"), Formats: i.formats(), RequestHeaders: i.ForwardHeaders,
		Header: make(http.Header), ModelsPath: "/models",
		Path: func(op ccproxy.Operation, f adapters.Format) string {
			return strings.TrimPrefix(providers.DefaultPath(op, f), "/v1")
		},
	}
	if !regexp.MustCompile(`/v\d[^/]*$`).MatchString(u.BaseURL) {
		u.BaseURL += "/v1"
	}
	if !i.APIKey.IsZero() {
		u.Credentials = providers.BearerKey(i.APIKey)
	}
	for name, value := range i.Headers {
		u.Header.Set(name, value)
	}
	for _, id := range i.Models {
		u.Models = append(u.Models, ccproxy.Model{ID: id})
	}
	return u
}
