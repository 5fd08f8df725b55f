package ccproxy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
)

type panicking struct{}

func (panicking) Models(context.Context) ([]ccproxy.Model, error) { panic("models") }

func (panicking) Do(context.Context, *ccproxy.Call) (*ccproxy.Answer, error) { panic("do") }

// wild is a plugin whose provider and routes panic at different moments.
func wild() ccproxy.Factory {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("when") {
		case "begun":
			w.WriteHeader(http.StatusOK)
		case "written":
			_, _ = io.WriteString(w, "half")
		case "hijacker":
			if _, ok := w.(http.Hijacker); !ok {
				panic("no hijacker")
			}
			return
		}
		panic("route")
	})
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "wild", Kind: ccproxy.KindProvider,
		Providers: []ccproxy.ProviderSpec{{
			Formats: []adapters.Format{adapters.AnthropicMessages},
			New:     func(*ccproxy.PluginContext) (ccproxy.Provider, error) { return panicking{}, nil },
		}},
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/wildlife", Endpoints: []ccproxy.Endpoint{{Pattern: "/{when}"}},
			New: func(*ccproxy.PluginContext) (http.Handler, error) { return handler, nil },
		}},
	}, nil)
}

// A panic before anything was sent is a real 500; after that, the answer is broken off and never looks whole.
func TestPanicsOverTheWire(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(running(t, ccproxy.Settings{}, []ccproxy.Factory{wild()}))
	t.Cleanup(srv.Close)
	tests := []struct {
		path, body string
		want       string // in the 500's body; empty: the answer must break off
	}{
		{"/wild/v1/messages", `{"model":"m"}`, `{"type":"error","error":{"type":"api_error"`},
		{"/wild/v1/models", "", `"error"`},
		{"/wildlife/early", "", `{"error":{"type":`},
		{"/wildlife/begun", "", ""},
		{"/wildlife/written", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			method := http.MethodGet
			if tt.body != "" {
				method = http.MethodPost
			}
			req, err := http.NewRequestWithContext(t.Context(), method, srv.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				if tt.want != "" {
					t.Fatalf("no answer: %v", err)
				}
				return
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if tt.want == "" {
				if err == nil {
					t.Errorf("%d %q looks whole", resp.StatusCode, got)
				}
				return
			}
			if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(string(got), tt.want) || err != nil {
				t.Errorf("%d %q, %v, want 500 with %s", resp.StatusCode, got, err, tt.want)
			}
		})
	}
}

// Libraries for WebSockets look for an http.Hijacker.
func TestWriterHijacks(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(running(t, ccproxy.Settings{}, []ccproxy.Factory{wild()}))
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/wildlife/hijacker", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d, want 200", resp.StatusCode)
	}
}
