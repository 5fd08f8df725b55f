package ccproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/providers"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// Whoever suspects a conversion looks at what it makes of a request, and whether its untyped form makes the same: a
// fault of both is one of the conversion itself.
func ExampleFeatures() {
	var reg ccproxy.Registry
	_ = reg.Register(providers.New(ccproxy.Manifest{Name: "chat", Kind: ccproxy.KindProvider}, providers.Upstream{
		BaseURL: "https://chat.example", Formats: []adapters.Format{adapters.OpenAIChatCompletions},
	}))
	for _, features := range []ccproxy.Features{{}, {UntypedAdapters: true}} {
		var up providertest.Upstream
		up.Enqueue(providertest.Text(adapters.OpenAIChatCompletions, "hi"))
		proxy, err := reg.Build(ccproxy.Settings{Features: features}, ccproxy.WithTransport(up.Transport()))
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := proxy.Start(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		body := strings.NewReader(`{"top_k":5,"max_tokens":9,"model":"m","messages":[{"role":"user","content":"hello"}]}`)
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/chat/v1/messages", body))
		sent, _ := up.Last()
		fmt.Printf("%s\nlost: %q\n", sent.Body, w.Header().Get("X-CCProxy-Loss"))
		_ = proxy.Shutdown(context.Background())
		_ = up.Close()
	}
	// Output:
	// {"model":"m","messages":[{"role":"user","content":"hello"}],"max_completion_tokens":9}
	// lost: "top_k"
	// {"max_completion_tokens":9,"messages":[{"content":"hello","role":"user"}],"model":"m"}
	// lost: ""
}
