package providers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// local is a provider whose upstream, on this machine, takes one request at a time. All else, listing of models
// included, is the toolkit's.
type local struct {
	*providers.Provider
	slot chan struct{} // holds one value while the upstream is busy
}

// Do implements [ccproxy.Provider]. The upstream is busy until the answer has been read.
func (p local) Do(ctx context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	select {
	case p.slot <- struct{}{}:
	default:
		return nil, &ccproxy.Error{Status: http.StatusServiceUnavailable, Code: "busy", Message: "the model is busy"}
	}
	free := sync.OnceFunc(func() { <-p.slot })
	answer, err := p.Provider.Do(ctx, call)
	if err != nil {
		free()
		return nil, err
	}
	answer.Body = closing{answer.Body, free}
	return answer, nil
}

// closing calls a function when a body is closed.
type closing struct {
	io.ReadCloser
	closed func()
}

// Close implements io.Closer.
func (c closing) Close() error {
	defer c.closed()
	return c.ReadCloser.Close()
}

// A plugin that is more than an upstream makes its provider itself, with whatever it does besides around it.
func ExampleProvider() {
	slot := make(chan struct{}, 1)
	formats := []adapters.Format{adapters.AnthropicMessages}
	factory := ccproxy.NewFactory(ccproxy.Manifest{
		Name: "acme", Kind: ccproxy.KindProvider,
		Providers: []ccproxy.ProviderSpec{{
			Formats:      formats,
			SelfPrepared: true, // hooks see what the toolkit sends
			New: func(pc *ccproxy.PluginContext) (ccproxy.Provider, error) {
				p, err := providers.NewProvider(pc, providers.Upstream{
					BaseURL: "https://acme.example", Formats: formats,
					DefaultHeader: http.Header{"Anthropic-Version": {"2023-06-01"}},
					Credentials:   providers.HeaderKey("X-Api-Key", ccproxy.NewSecret("acme-key-0123456789")),
				})
				return local{p, slot}, err
			},
		}},
	}, nil)
	up := new(providertest.Upstream)
	proxy, stop := running(up, ccproxy.Settings{}, nil, factory)
	defer stop()
	slot <- struct{}{} // somebody else's request
	fmt.Println(hello(proxy, "/acme/v1/messages").Code, len(up.Requests()))
	<-slot
	for range 2 {
		fmt.Println(hello(proxy, "/acme/v1/messages").Code, len(up.Requests()), len(slot))
	}
	// Output:
	// 503 0
	// 200 1 0
	// 200 2 0
}
