package ccproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

// oracle is a provider without an API behind it: it answers by itself, in the format of OpenAI Chat Completions.
type oracle struct{ executed map[ccproxy.Operation]int }

func (oracle) Models(context.Context) ([]ccproxy.Model, error) {
	return []ccproxy.Model{{ID: "oracle-1", DisplayName: "Oracle", ContextWindow: 2048}}, nil
}

// Model makes the oracle a ccproxy.ModelDescriber: it knows a name that it does not list.
func (o oracle) Model(ctx context.Context, id string) (ccproxy.Model, error) {
	models, err := o.Models(ctx)
	if id != "oracle-1" && id != "oracle-latest" {
		return ccproxy.Model{}, &ccproxy.Error{Status: http.StatusNotFound, Message: "no model " + id}
	}
	return models[0], err
}

var _ ccproxy.ModelDescriber = oracle{}

func (o oracle) Do(_ context.Context, call *ccproxy.Call) (*ccproxy.Answer, error) {
	if call.Operation != ccproxy.OpGenerate {
		return nil, ccproxy.ErrUnsupported // tokens are estimated then
	}
	o.executed[call.Operation]++
	said := `{"role":"assistant","content":"Ask again, ` + call.Session + `."}`
	return &ccproxy.Answer{
		Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"id":"1","object":"chat.completion","model":"oracle-1",` +
			`"choices":[{"index":0,"message":` + said + `,"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`)),
		Reshape: true, // it never streams: who asks for a stream gets one that is made of the whole answer
	}, nil
}

// A provider answers calls in the one format that it likes, and clients of all formats have the use of it.
func ExampleProvider() {
	executed := make(map[ccproxy.Operation]int)
	var reg ccproxy.Registry
	err := reg.Register(ccproxy.NewFactory(ccproxy.Manifest{
		Name: "oracle", Kind: ccproxy.KindProvider,
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.OpenAIChatCompletions},
			Aliases: []ccproxy.PathAlias{{Path: "/{session_id}/v1/messages", Of: "/v1/messages"}},
			New: func(*ccproxy.PluginContext) (ccproxy.Provider, error) {
				return oracle{executed}, nil
			},
		}},
	}, nil))
	proxy, buildErr := reg.Build(ccproxy.Settings{})
	if err := errors.Join(err, buildErr); err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	defer proxy.Shutdown(context.Background())

	visit := func(method, path, body string) {
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		said := strings.Contains(w.Body.String(), "Ask again")
		fmt.Println(path, w.Code, w.Header().Get("Content-Type"), said)
	}
	const question = `"max_tokens":9,"messages":[{"role":"user","content":"Will it rain?"}]}`
	visit("POST", "/oracle/alice/v1/messages", `{"model":"oracle-1",`+question)
	visit("POST", "/oracle/v1/chat/completions", `{"model":"oracle-1","stream":true,`+question)
	visit("POST", "/oracle/v1/messages/count_tokens", `{"model":"oracle-1",`+question)
	visit("GET", "/oracle/v1/models/oracle-latest", "")
	visit("GET", "/oracle/v1/models/oracle-2", "")
	fmt.Println(executed)
	// Output:
	// /oracle/alice/v1/messages 200 application/json true
	// /oracle/v1/chat/completions 200 text/event-stream; charset=utf-8 true
	// /oracle/v1/messages/count_tokens 200 application/json false
	// /oracle/v1/models/oracle-latest 200 application/json false
	// /oracle/v1/models/oracle-2 404 application/json false
	// map[generate:2]
}
