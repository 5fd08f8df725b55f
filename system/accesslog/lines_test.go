package accesslog_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
)

// providerRig is a proxy of Claude whose lines go to the buffers.
func providerRig(t *testing.T, tr http.RoundTripper, client, provider *bytes.Buffer) *ccproxy.Proxy {
	t.Helper()
	cfg := accesslog.DefaultConfig()
	cfg.Writer, cfg.ProviderEnabled, cfg.ProviderWriter = client, true, provider
	var reg ccproxy.Registry
	if err := reg.Register(accesslog.Factory(), claudeapi.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		claudeapi.Name: {"api_key": "upstream-canary-1234567890"},
	}}, ccproxy.WithTransport(tr), ccproxy.WithStrictStart(), ccproxy.WithPluginConfig(accesslog.Name, *cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return proxy
}

// Two requests at the same time that bring the same X-Request-Id.
func TestSameRequestID(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	open, began := make(chan struct{}), make(chan struct{})
	var once sync.Once
	up.Handler = func(r providertest.Request) providertest.Reply {
		if strings.Contains(string(r.Body), "slow") {
			once.Do(func() { close(began) })
			parts := providertest.TextEvents("claude-sonnet-4-5", "Hello")
			return providertest.Stream(append([]providertest.Part{providertest.Gate(open)}, parts...)...)
		}
		return nil
	}
	var client, provider bytes.Buffer
	proxy := providerRig(t, up.Transport(), &client, &provider)
	body := strings.Replace(message, "{", `{"stream":true,`, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		proxy.ServeHTTP(httptest.NewRecorder(), request("POST", "/claude/v1/messages", strings.Replace(body, "Hello you", "slow", 1)))
	})
	<-began
	proxy.ServeHTTP(httptest.NewRecorder(), request("POST", "/claude/v1/messages", body))
	close(open)
	wg.Wait()
	stop(t, proxy)
	whole := 0
	for text := range strings.Lines(provider.String()) {
		var l struct {
			Status int  `json:"status_code"`
			Input  *int `json:"tokens_input"`
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if l.Status == 200 && l.Input != nil {
			whole++
		}
	}
	if whole != 2 {
		t.Errorf("%d of 2 answered calls have status and tokens:\n%s\nclients:\n%s", whole, &provider, &client)
	}
}

// What lines say of streams that end badly: the provider has answered 200.
func TestCutStreams(t *testing.T) {
	t.Parallel()
	for name, end := range map[string][]providertest.Part{
		"cut":   {providertest.Cut()},
		"error": {providertest.ErrorEvent("overloaded_error", "Overloaded")},
		"empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var up providertest.Upstream
			defer up.Close()
			all := providertest.TextEvents("claude-sonnet-4-5", "Hello you there")
			up.Enqueue(providertest.Stream(append(all[:4:4], end...)...))
			var client, provider bytes.Buffer
			proxy := providerRig(t, up.Transport(), &client, &provider)
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, request("POST", "/claude/v1/messages", strings.Replace(message, "{", `{"stream":true,`, 1)))
			stop(t, proxy)
			t.Logf("client was sent %d\n%s\n%s%s", w.Code, w.Body, &client, &provider)
			var l struct {
				Status int `json:"status_code"`
			}
			if err := json.Unmarshal(provider.Bytes(), &l); err != nil || l.Status != 200 {
				t.Errorf("status %d of a call that was answered with 200 (%v)", l.Status, err)
			}
			if err := json.Unmarshal(client.Bytes(), &l); err != nil || l.Status != w.Code {
				t.Errorf("status %d of a request that was answered with %d (%v)", l.Status, w.Code, err)
			}
		})
	}
}

// The bytes of a whole answer in the provider's common line.
func TestBytes(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.Message("Hello"))
	var out bytes.Buffer
	cfg := accesslog.DefaultConfig()
	cfg.Writer, cfg.ProviderEnabled, cfg.ProviderWriter, cfg.ProviderFormat = &bytes.Buffer{}, true, &out, accesslog.FormatCommon
	var reg ccproxy.Registry
	if err := reg.Register(accesslog.Factory(), claudeapi.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		claudeapi.Name: {"api_key": "upstream-canary-1234567890"},
	}}, ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart(), ccproxy.WithPluginConfig(accesslog.Name, *cfg))
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	proxy.ServeHTTP(w, request("POST", "/claude/v1/messages", message))
	stop(t, proxy)
	if strings.HasSuffix(strings.TrimSpace(out.String()), " 200 -") {
		t.Errorf("an answer of %d bytes: %s", w.Body.Len(), &out)
	}
}
