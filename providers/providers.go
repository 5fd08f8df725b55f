// Package providers is the toolkit for providers whose upstream is an HTTP API: base URL, credentials, headers,
// transformers, models and health. With it a provider is a manifest and an [Upstream]:
//
//	factory := providers.New(
//		ccproxy.Manifest{Name: "acme", Kind: ccproxy.KindProvider},
//		providers.Upstream{
//			BaseURL:     "https://api.acme.example",
//			Formats:     []adapters.Format{adapters.AnthropicMessages},
//			Credentials: providers.HeaderKey("X-Api-Key", key),
//		},
//	)
//
// [Configured] does the same for an upstream that depends on the plugin's configuration.
package providers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// Upstream describes an HTTP API.
type Upstream struct {
	// BaseURL is what the paths of operations are added to, such as "https://api.anthropic.com". Required.
	BaseURL string
	// Formats are what the API speaks, the preferred one first. Required.
	Formats []adapters.Format
	// Credentials authorize requests. Nil means that the API needs none. See [Refresher] for those that expire.
	Credentials Credentials
	// Header is sent with every request, in the place of what the client sent. Hooks see of it only the dialects' own
	// headers, such as User-Agent, and cannot change the others: a gateway's key is as secret as the API's.
	Header http.Header
	// DefaultHeader is sent where the client sent nothing. Hooks see it: what is secret belongs into Header.
	DefaultHeader http.Header
	// RequestHeaders are names of further headers of the client that go upstream; a name may end in "*".
	// What always goes is content-type, accept, user-agent and x-stainless-*, and the formats' own headers.
	RequestHeaders []string
	// ResponseHeaders are names of further headers of the API that come back; a name may end in "*".
	ResponseHeaders []string
	// Transformers change requests, in order, after any conversion and before hooks.
	Transformers []Transformer
	// Path returns the path of an operation, "" where the API does not offer it. Defaults to [DefaultPath].
	Path func(op ccproxy.Operation, f adapters.Format) string
	// Models are listed when the API cannot be asked.
	Models []ccproxy.Model
	// ModelsPath is where the API lists its models; "" means "/v1/models" and "-" that it does not.
	ModelsPath string
	// ModelsQuery is the raw query of the request for the list. Defaults to what asks for all models at once.
	ModelsQuery string
	// ModelsTTL is how long a list of models is kept. Defaults to 5 minutes.
	ModelsTTL time.Duration
	// CLI is the name of a command-line program that belongs to the provider, shown in its health. May be empty.
	CLI string
}

// DefaultPath returns the path that the format's own API has for an operation, or "".
func DefaultPath(op ccproxy.Operation, f adapters.Format) string {
	switch {
	case op == ccproxy.OpGenerate && f == adapters.AnthropicMessages:
		return "/v1/messages"
	case op == ccproxy.OpCountTokens && f == adapters.AnthropicMessages:
		return "/v1/messages/count_tokens"
	case op == ccproxy.OpGenerate && f == adapters.OpenAIChatCompletions:
		return "/v1/chat/completions"
	case op == ccproxy.OpEmbeddings && f == adapters.OpenAIChatCompletions:
		return "/v1/embeddings"
	case op == ccproxy.OpGenerate && f == adapters.OpenAIResponses:
		return "/v1/responses"
	case op == ccproxy.OpCompact && f == adapters.OpenAIResponses:
		return "/v1/responses/compact"
	}
	return ""
}

// New returns the factory of a provider plugin with one upstream. m needs no Providers; its Kind is set.
func New(m ccproxy.Manifest, u Upstream) ccproxy.Factory {
	return NewFunc(m, u.Formats, func(*ccproxy.PluginContext) (Upstream, error) { return u, nil })
}

// Configured is [New] for an upstream that is made of the plugin's configuration, which m declares as C.
// formats is what every such upstream speaks.
func Configured[C any](
	m ccproxy.Manifest, formats []adapters.Format, upstream func(*C) (Upstream, error),
) ccproxy.Factory {
	return NewFunc(m, formats, func(pc *ccproxy.PluginContext) (Upstream, error) {
		cfg, err := ccproxy.ConfigOf[C](pc)
		if err != nil {
			return Upstream{}, err
		}
		return upstream(cfg)
	})
}

// NewFunc is [New] for an upstream that is made when the plugin initializes. An error of upstream is one of
// Initialize: ccproxy.ErrSkip opts out.
func NewFunc(
	m ccproxy.Manifest, formats []adapters.Format, upstream func(*ccproxy.PluginContext) (Upstream, error),
) ccproxy.Factory {
	m.Kind = ccproxy.KindProvider
	m.Providers = append(m.Providers, ccproxy.ProviderSpec{
		Formats: formats, SelfPrepared: true,
		New: func(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
			rt, err := ccproxy.RuntimeOf[*plugin](pc)
			if err != nil {
				return nil, err
			}
			return rt.provider, nil
		},
	})
	return ccproxy.NewFactory(m, func() ccproxy.Plugin { return &plugin{upstream: upstream} })
}

// plugin is the runtime of a provider plugin of this package.
type plugin struct {
	upstream func(*ccproxy.PluginContext) (Upstream, error)
	provider *Provider
}

// Initialize implements [ccproxy.Plugin].
func (p *plugin) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	u, err := p.upstream(pc)
	if err != nil {
		return err
	}
	p.provider, err = NewProvider(pc, u)
	return err
}

// Shutdown implements [ccproxy.Plugin].
func (p *plugin) Shutdown(context.Context) error {
	if p.provider != nil {
		p.provider.client.CloseIdleConnections()
	}
	return nil
}

// HealthCheck implements [ccproxy.HealthChecker].
func (p *plugin) HealthCheck(ctx context.Context) ccproxy.Health { return p.provider.Health(ctx) }

// NewProvider returns a provider for an upstream, for plugins that are more than that. It makes no request.
func NewProvider(pc *ccproxy.PluginContext, u Upstream) (*Provider, error) {
	base, err := url.Parse(u.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("base URL must be an absolute http or https URL: %w", ccproxy.ErrConfig)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("base URL must have no user, query or fragment: %w", ccproxy.ErrConfig)
	}
	base.Path, base.RawPath = strings.TrimRight(base.Path, "/"), strings.TrimRight(base.RawPath, "/")
	if u.Path == nil {
		u.Path = DefaultPath
	}
	if u.ModelsPath == "" {
		u.ModelsPath = "/v1/models"
	}
	if u.ModelsTTL <= 0 {
		u.ModelsTTL = 5 * time.Minute
	}
	u.DefaultHeader = sharedHeader(u.DefaultHeader)
	return &Provider{
		fixed: newFixedHeader(u.Header), upstream: u, base: base, client: pc.HTTPClient, pc: pc,
		request:  newAllowList(requestHeaders(), u.RequestHeaders),
		response: newAllowList(responseHeaders(), u.ResponseHeaders),
	}, nil
}
