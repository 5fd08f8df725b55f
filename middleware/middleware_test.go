package middleware_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/middleware"
)

// recorder appends its name to path when a request passes it.
func recorder(path *[]string, name string) middleware.Func {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			*path = append(*path, name)
			next.ServeHTTP(w, r)
		})
	}
}

func TestChainOrder(t *testing.T) {
	t.Parallel()
	var path []string
	entry := func(name, source string, layer middleware.Layer, as string) middleware.Entry {
		return middleware.Entry{Name: name, Source: source, Layer: layer, Func: recorder(&path, as)}
	}
	entries := []middleware.Entry{
		entry("x", "", middleware.LayerApplication, "application"),
		entry("a", "p", middleware.LayerSecurity, "plugin p"),
		entry("z", "", middleware.LayerSecurity, "core z"),
		entry("a", "b", middleware.LayerSecurity, "plugin b"),
		entry("m", "", middleware.LayerSecurity, "core m"),
		entry("a", "p", middleware.LayerSecurity, "plugin p again"),
		{Name: "nothing", Layer: middleware.LayerRouting},
		entry("early", "p", 50, "fifty"),
	}
	handler := middleware.Chain(entries...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		path = append(path, "handler")
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	want := []string{
		"fifty", "core m", "core z", "plugin b", "plugin p", "plugin p again", "application", "handler",
	}
	if diff := cmp.Diff(want, path); diff != "" {
		t.Errorf("order mismatch (-want +got):\n%s", diff)
	}
	if entries[0].Name != "x" {
		t.Error("Chain reordered the caller's entries")
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(middleware.Summary([]middleware.Entry{
		{Name: "b", Source: "p", Layer: 150},
		{Name: "a", Layer: middleware.LayerSecurity},
	}))
	want := `[{"name":"a","priority":100,"layer":"security","source":""},` +
		`{"name":"b","priority":150,"layer":"150","source":"p"}]`
	if err != nil || string(got) != want {
		t.Errorf("Summary = %s, %v\nwant      %s", got, err, want)
	}
}

func TestLayerNames(t *testing.T) {
	t.Parallel()
	want := map[middleware.Layer]string{
		100: "security", 200: "observability", 300: "transformation", 400: "routing", 500: "application", 0: "0",
	}
	for layer, name := range want {
		if got := layer.String(); got != name {
			t.Errorf("Layer(%d) = %q, want %q", int(layer), got, name)
		}
	}
}
