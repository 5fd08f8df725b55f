package ccproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// acmePrompt is a format that only one upstream speaks: {"prompt":"…"} is answered with {"completion":"…"}.
const acmePrompt adapters.Format = "acme.prompt"

// toAcme converts requests of Anthropic's clients, as far as this upstream understands them: the last message.
func toAcme(_ context.Context, in map[string]any) (map[string]any, error) {
	messages, _ := in["messages"].([]any)
	if len(messages) == 0 {
		return nil, &ccproxy.Error{Status: http.StatusBadRequest, Param: "messages", Message: "messages: required"}
	}
	last, _ := messages[len(messages)-1].(map[string]any)
	return map[string]any{"prompt": last["content"]}, nil
}

// fromAcme converts answers back.
func fromAcme(_ context.Context, in map[string]any) (map[string]any, error) {
	return map[string]any{
		"type": "message", "role": "assistant", "stop_reason": "end_turn",
		"content": []any{map[string]any{"type": "text", "text": in["completion"]}},
	}, nil
}

// acme answers in its own format.
type acme struct{}

func (acme) Models(context.Context) ([]ccproxy.Model, error) { return nil, nil }

func (acme) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	fmt.Println("acme gets", string(call.Body))
	return &ccproxy.Answer{Body: io.NopCloser(strings.NewReader(`{"completion":"fine"}`))}, nil
}

// newPreview shows what becomes of a request with the adapters of all plugins.
func newPreview(formats ccproxy.FormatRegistry) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		pair := adapters.FormatPair{From: adapters.AnthropicMessages, To: adapters.Format(r.PathValue("format"))}
		adapter, err := formats.Lookup(pair)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		out, err := adapter.ConvertRequest(r.Context(), map[string]any{"messages": []any{
			map[string]any{"role": "user", "content": r.FormValue("say")},
		}})
		fmt.Fprintln(w, out, err)
	}
}

// acmeManifest brings a provider with the adapters that its format needs.
func acmeManifest() ccproxy.Manifest {
	adapter := func(from, to adapters.Format, a adapters.Funcs) ccproxy.FormatAdapterSpec {
		return ccproxy.FormatAdapterSpec{
			From: from, To: to,
			New: func(*ccproxy.PluginContext) (adapters.FormatAdapter, error) { return a, nil },
		}
	}
	return ccproxy.Manifest{
		Name: "acme", Kind: ccproxy.KindProvider,
		FormatAdapters: []ccproxy.FormatAdapterSpec{
			adapter(adapters.AnthropicMessages, acmePrompt, adapters.Funcs{Name: "to acme", Request: toAcme}),
			adapter(acmePrompt, adapters.AnthropicMessages, adapters.Funcs{Name: "from acme", Response: fromAcme}),
		},
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{acmePrompt},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return acme{}, nil },
		}},
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/preview", Endpoints: []ccproxy.Endpoint{{Pattern: "/{format}"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) { return newPreview(pc.Formats), nil },
		}},
	}
}

// A provider whose format nobody else knows brings adapters for it, and clients of Anthropic's format can use it.
func ExampleFormatAdapterSpec() {
	var reg ccproxy.Registry
	_ = reg.Register(ccproxy.NewFactory(acmeManifest(), nil))
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/acme/v1/messages", strings.NewReader(exampleRequest)))
	fmt.Println(w.Code, w.Body)
	w = httptest.NewRecorder()
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/preview/acme.prompt?say=hello", nil))
	fmt.Print(w.Body)
	// Output:
	// acme gets {"prompt":"hello"}
	// 200 {"content":[{"text":"fine","type":"text"}],"role":"assistant","stop_reason":"end_turn","type":"message"}
	// map[prompt:hello] <nil>
}
