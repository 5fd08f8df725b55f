// Package openapi checks the proxy's description of itself with a validator that is not ours.
package openapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDocument(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(bundled.Factories()...); err != nil {
		t.Fatal(err)
	}
	err := reg.Register(ccproxy.NewFactory(ccproxy.Manifest{
		Name: "extra", Routes: []ccproxy.RouteSpec{{
			Prefix: "/extra", Tags: []string{"things"}, Auth: ccproxy.AuthRequired,
			Endpoints: []ccproxy.Endpoint{
				{Pattern: "/{kind}/{id}", Summary: "Show a thing"},
				{Pattern: "/{kind}", Method: http.MethodPost, Auth: ccproxy.AuthPublic},
			},
			New: func(*ccproxy.PluginContext) (http.Handler, error) { return http.NotFoundHandler(), nil },
		}},
	}, nil))
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})

	w := httptest.NewRecorder()
	proxy.Mount("/llm").ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/llm/openapi.json", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /openapi.json: %d %s", w.Code, w.Body)
	}
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Errorf("the document is not valid: %v", err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Servers[0].URL != "/llm" {
		t.Errorf("openapi %s at %s, want 3.1.0 at /llm", doc.OpenAPI, doc.Servers[0].URL)
	}

	thing := doc.Paths.Value("/extra/{kind}/{id}")
	if thing == nil || thing.Get == nil || len(thing.Get.Parameters) != 2 || thing.Get.Tags[0] != "things" {
		t.Fatalf("GET /extra/{kind}/{id} is described as %+v", thing)
	}
	if len(*thing.Get.Security) == 0 || len(*doc.Paths.Value("/extra/{kind}").Post.Security) != 0 {
		t.Error("the policies of /extra are not told")
	}
	everythingAnswers(t, proxy, doc)
}

// everythingAnswers tries each path: what is described is mounted, and the other way round.
func everythingAnswers(t *testing.T, proxy *ccproxy.Proxy, doc *openapi3.T) {
	t.Helper()
	for template := range doc.Paths.Map() {
		path := strings.NewReplacer("{", "", "}", "").Replace(template)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodTrace, path, nil)
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, r)
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("TRACE %s: %d, so it is not mounted", path, w.Code)
		}
		allowed := strings.Split(w.Header().Get("Allow"), ", ")
		allowed = slices.DeleteFunc(allowed, func(m string) bool { return m == http.MethodHead })
		slices.Sort(allowed)
		if diff := cmp.Diff(methodsOf(doc, path), allowed); diff != "" {
			t.Errorf("methods of %s (-described +mounted):\n%s", path, diff)
		}
	}
}

// methodsOf returns the methods of all templates that match a path, sorted.
func methodsOf(doc *openapi3.T, path string) []string {
	var methods []string
	for template, item := range doc.Paths.Map() {
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(template, "[^/]+") + "$")
		if !pattern.MatchString(path) {
			continue
		}
		for method := range item.Operations() {
			methods = append(methods, method)
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}
