package embedding_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

// Example_readme is what README.md shows first.
func Example_readme() {
	ctx := context.Background()
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory()); err != nil {
		log.Fatal(err)
	}
	cfg := claudeapi.DefaultConfig()
	cfg.APIKey = ccproxy.NewSecret(os.Getenv("ANTHROPIC_API_KEY"))
	proxy, err := reg.Build(ccproxy.Settings{},
		ccproxy.WithPluginConfig(claudeapi.Name, *cfg), ccproxy.WithLogger(slog.Default()))
	if err != nil {
		log.Fatal(err)
	}
	if err := proxy.Start(ctx); err != nil {
		log.Fatal(err)
	}
	http.Handle("/llm/", proxy.Mount("/llm"))

	answer := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/llm/health/live", http.NoBody))
	fmt.Println(answer.Code, proxy.Shutdown(ctx))
	// Output: 200 <nil>
}
