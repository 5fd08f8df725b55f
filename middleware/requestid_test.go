package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/middleware"
)

func TestRequestIDIncoming(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 128)
	tests := []struct {
		name     string
		incoming []string
		keep     bool
	}{
		{"none", nil, false},
		{"safe", []string{"Req_1.2-3"}, true},
		{"longest", []string{long}, true},
		{"too long", []string{long + "a"}, false},
		{"empty", []string{""}, false},
		{"space", []string{"a b"}, false},
		{"newline", []string{"a\nb"}, false},
		{"markup", []string{"<b>"}, false},
		{"not ASCII", []string{"é"}, false},
		{"several", []string{"a", "b"}, false},
	}
	made := regexp.MustCompile(`^[0-9a-f]{32}$`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["X-Request-Id"] = tt.incoming
			w := httptest.NewRecorder()
			var inside string
			middleware.RequestID()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				inside = middleware.RequestIDFrom(r.Context())
			})).ServeHTTP(w, r)
			if got := w.Header().Get("X-Request-Id"); got != inside {
				t.Errorf("response has id %q, the context %q", got, inside)
			}
			if tt.keep && inside != tt.incoming[0] {
				t.Errorf("id = %q, want the client's", inside)
			}
			if !tt.keep && !made.MatchString(inside) {
				t.Errorf("id = %q, want a new one", inside)
			}
		})
	}
}

func TestRequestIDsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	handler := middleware.RequestID()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen[middleware.RequestIDFrom(r.Context())] = true
	}))
	for range 100 {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}
	if len(seen) != 100 {
		t.Errorf("100 requests have %d ids", len(seen))
	}
}

func TestRequestIDContext(t *testing.T) {
	t.Parallel()
	if got := middleware.RequestIDFrom(t.Context()); got != "" {
		t.Errorf("RequestIDFrom of a foreign context = %q", got)
	}
	type key struct{}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), key{}, "outer"))
	middleware.RequestID()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		inner, stop := context.WithCancel(r.Context())
		defer stop()
		if inner.Value(key{}) != "outer" || middleware.RequestIDFrom(inner) == "" {
			t.Error("values of the contexts around and of the id must both be found")
		}
		cancel()
		<-inner.Done() // cancellation passes through
	})).ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
}

// bareWriter is a ResponseWriter whose header is never emptied: only the middleware's own allocations count.
type bareWriter struct{ h http.Header }

func (w bareWriter) Header() http.Header         { return w.h }
func (w bareWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w bareWriter) WriteHeader(int)             {}

func quiet(http.ResponseWriter, *http.Request) {}

func TestAllocations(t *testing.T) { //nolint:paralleltest // AllocsPerRun forbids it
	tests := []struct {
		name string
		wrap middleware.Func
		most float64
	}{
		{"request id", middleware.RequestID(), 3},
		{"recover", middleware.Recover(nil, nil), 1},
	}
	for _, tt := range tests {
		handler := tt.wrap(http.HandlerFunc(quiet))
		var w http.ResponseWriter = bareWriter{http.Header{"X-Request-Id": nil}}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		got := testing.AllocsPerRun(200, func() { handler.ServeHTTP(w, r) })
		if got > tt.most {
			t.Errorf("%s: %v allocations a request, want at most %v", tt.name, got, tt.most)
		}
	}
}

func BenchmarkRequestIDAndRecover(b *testing.B) {
	handler := middleware.RequestID()(middleware.Recover(nil, nil)(http.HandlerFunc(quiet)))
	var w http.ResponseWriter = bareWriter{http.Header{}}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(w, r)
	}
}
