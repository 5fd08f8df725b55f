package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/dashboard"
)

// The page is for anybody, the figures for callers with a key; one of them may see them.
func Example() {
	config := dashboard.DefaultConfig()
	config.Admins = []string{"operator"}

	var reg ccproxy.Registry
	if err := reg.Register(dashboard.Factory()); err != nil {
		panic(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{
		EnabledPlugins: []string{dashboard.Name},
		Security: ccproxy.Security{Keys: []ccproxy.APIKey{
			{Name: "operator", Value: ccproxy.NewSecret("3b1f-operator-77aa90")},
		}},
	}, ccproxy.WithPluginConfig(dashboard.Name, *config))
	if err != nil {
		panic(err)
	}
	if err := proxy.Start(context.Background()); err != nil {
		panic(err)
	}
	defer proxy.Shutdown(context.Background())

	ask := func(path, key string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, r)
		fmt.Println(path, w.Code, w.Header().Get("Content-Type"))
	}
	ask("/dashboard", "")
	ask("/dashboard/data", "")
	ask("/dashboard/data", "3b1f-operator-77aa90")
	// Output:
	// /dashboard 200 text/html; charset=utf-8
	// /dashboard/data 401 application/json
	// /dashboard/data 200 application/json
}
