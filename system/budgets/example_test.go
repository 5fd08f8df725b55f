package budgets_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/budgets"
)

// A host that authenticates by itself says who calls; each caller may take sixty tokens a day.
func ExampleFactory() {
	cfg := budgets.DefaultConfig()
	cfg.Limits = []budgets.Limit{{Name: "daily", Period: "day", Tokens: 60}}
	var reg ccproxy.Registry
	if err := reg.Register(budgets.Factory(), echo.Factory()); err != nil {
		fmt.Println(err)
		return
	}
	settings := ccproxy.Settings{Plugins: map[string]map[string]any{budgets.Name: {"enabled": true}}}
	proxy, err := reg.Build(settings, ccproxy.WithPluginConfig(budgets.Name, *cfg))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := ccproxy.ContextWithCaller(context.Background(), ccproxy.Caller{ID: "alice"})
	if err := proxy.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for _, output := range []string{"9", "900"} {
		body := `{"model":"echo-1","max_tokens":` + output + `,"messages":[{"role":"user","content":"Hello"}]}`
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/echo/v1/messages", strings.NewReader(body))
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, r)
		fmt.Printf("%d %q\n", w.Code, w.Header().Get(budgets.HeaderBudget))
	}
	if err := proxy.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 200 ""
	// 429 "daily"
}
