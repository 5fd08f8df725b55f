package ccproxy_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ccproxy-go/ccproxy"
)

// indenting is a tracer that prints where one for production would tell its backend.
type indenting struct{}

type indentKey struct{}

func (indenting) Start(ctx context.Context, name string, attrs ...slog.Attr) (context.Context, func(error)) {
	depth, _ := ctx.Value(indentKey{}).(int)
	fmt.Println(strings.Repeat("  ", depth)+name, attrs)
	return context.WithValue(ctx, indentKey{}, depth+1), func(err error) {
		fmt.Println(strings.Repeat("  ", depth)+name, "ended:", err)
	}
}

// shelves are a route of a plugin that times its work, and a step of it.
type shelves struct{ tracer ccproxy.Tracer }

func (s shelves) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, end := s.tracer.Start(r.Context(), "find", slog.String("title", r.PathValue("title")))
	err := s.look(ctx)
	end(err)
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s shelves) look(ctx context.Context) error {
	_, end := s.tracer.Start(ctx, "look")
	end(nil)
	return http.ErrMissingFile
}

// What plugins time with their tracer goes where the application wants it.
func ExampleWithTracer() {
	var reg ccproxy.Registry
	_ = reg.Register(ccproxy.NewFactory(ccproxy.Manifest{Name: "shelves", Routes: []ccproxy.RouteSpec{{
		Prefix: "/shelves", Endpoints: []ccproxy.Endpoint{{Pattern: "/{title}"}},
		New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
			return shelves{pc.Tracer}, nil
		},
	}}}, nil))
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithTracer(indenting{}))
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
	proxy.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/shelves/Ulysses", nil))
	fmt.Println(w.Code)
	// Output:
	// find [title=Ulysses]
	//   look []
	//   look ended: <nil>
	// find ended: http: no such file
	// 404
}
