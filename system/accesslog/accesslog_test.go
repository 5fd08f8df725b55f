package accesslog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/echo"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
)

const message = `{"model":"echo-1","max_tokens":9,"messages":[{"role":"user","content":"Hello you"}]}`

// start runs a proxy of this plugin and echo.
func start(t *testing.T, s ccproxy.Settings, opts ...ccproxy.Option) *ccproxy.Proxy {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(accesslog.Factory(), echo.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(s, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return proxy
}

func stop(t *testing.T, proxy *ccproxy.Proxy) {
	t.Helper()
	if err := proxy.Shutdown(context.Background()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func table(keys map[string]any) ccproxy.Settings {
	return ccproxy.Settings{Plugins: map[string]map[string]any{accesslog.Name: keys}}
}

func into(w *bytes.Buffer, f accesslog.Format) ccproxy.Option {
	cfg := accesslog.DefaultConfig()
	cfg.ClientFormat, cfg.Writer = f, w
	return ccproxy.WithPluginConfig(accesslog.Name, *cfg)
}

func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.7:4711"
	r.Header.Set("X-Request-Id", "req-1")
	r.Header.Set("User-Agent", "curl/8")
	return r
}

// TestLines shows each kind of request in each format, as it comes out of a real proxy.
func TestLines(t *testing.T) {
	t.Parallel()
	const unreadable = `{"model":`
	tests := []struct {
		name       string
		request    func() *http.Request
		structured string
		combined   string
	}{
		{
			name:    "answer",
			request: func() *http.Request { return request("POST", "/echo/v1/messages", message) },
			structured: `{"timestamp":"2000-01-01T00:00:00Z","request_id":"req-1","method":"POST","path":"/echo/v1/messages",` +
				`"status_code":200,"duration_ms":0,"client_ip":"192.0.2.7","user_agent":"curl/8","body_size":84,` +
				`"endpoint":"/echo/v1/messages","model":"echo-1","service_type":"echo","tokens_input":3,"tokens_output":3}`,
			combined: `192.0.2.7 - - [01/Jan/2000:00:00:00 +0000] "POST /echo/v1/messages HTTP/1.1" 200 BYTES "-" "curl/8"`,
		},
		{
			name: "stream, logged when it has ended",
			request: func() *http.Request {
				return request("POST", "/echo/v1/messages", strings.Replace(message, "{", `{"stream":true,`, 1))
			},
			structured: `{"timestamp":"2000-01-01T00:00:00Z","request_id":"req-1","method":"POST","path":"/echo/v1/messages",` +
				`"status_code":200,"duration_ms":8000,"client_ip":"192.0.2.7","user_agent":"curl/8","body_size":98,` +
				`"endpoint":"/echo/v1/messages","model":"echo-1","service_type":"echo","tokens_input":3,"tokens_output":3}`,
			combined: `192.0.2.7 - - [01/Jan/2000:00:00:00 +0000] "POST /echo/v1/messages HTTP/1.1" 200 BYTES "-" "curl/8"`,
		},
		{
			name:    "refused",
			request: func() *http.Request { return request("POST", "/echo/v1/messages", unreadable) },
			structured: `{"timestamp":"2000-01-01T00:00:00Z","request_id":"req-1","method":"POST","path":"/echo/v1/messages",` +
				`"status_code":400,"duration_ms":0,"client_ip":"192.0.2.7","user_agent":"curl/8","body_size":9,` +
				`"error":"TEXT",` +
				`"endpoint":"/echo/v1/messages","service_type":"echo"}`,
			combined: `192.0.2.7 - - [01/Jan/2000:00:00:00 +0000] "POST /echo/v1/messages HTTP/1.1" 400 BYTES "-" "curl/8"`,
		},
		{
			name: "no endpoint, caller, referer and secret query",
			request: func() *http.Request {
				r := request("GET", "/no%20such/p%C3%A4th?a=1&api_key=sk-1", "")
				r.Header.Set("Referer", "https://example.com/x?token=sk-2")
				return r.WithContext(ccproxy.ContextWithCaller(r.Context(), ccproxy.Caller{ID: "team a"}))
			},
			structured: `{"timestamp":"2000-01-01T00:00:00Z","request_id":"req-1","method":"GET","path":"/no such/päth",` +
				`"query":"a=1&api_key=[REDACTED]","status_code":404,"duration_ms":0,"client_ip":"192.0.2.7",` +
				`"user_agent":"curl/8","error":"TEXT"}`,
			combined: `192.0.2.7 - team\x20a [01/Jan/2000:00:00:00 +0000] ` +
				`"GET /no%20such/p%C3%A4th?a=1&api_key=[REDACTED] HTTP/1.1" 404 BYTES ` +
				`"https://example.com/x?token=[REDACTED]" "curl/8"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			common, _, _ := strings.Cut(tt.combined, ` "-" "curl`)
			common, _, _ = strings.Cut(common, ` "https:`)
			for format, want := range map[accesslog.Format]string{
				accesslog.FormatStructured: tt.structured,
				accesslog.FormatCombined:   tt.combined,
				accesslog.FormatCommon:     common,
			} {
				got, sent := line(t, format, tt.request())
				want = strings.Replace(want, "BYTES", strconv.Itoa(sent), 1)
				if diff := cmp.Diff(want+"\n", errorText.ReplaceAllString(got, `"error":"TEXT"`)); diff != "" {
					t.Errorf("%s line mismatch (-want +got):\n%s", format, diff)
				}
			}
		})
	}
}

// errorText is what other packages word.
var errorText = regexp.MustCompile(`"error":"40[^"]+"`)

// line is what one request writes at a second for each event of a stream, and how many bytes the client was sent.
func line(t *testing.T, format accesslog.Format, r *http.Request) (text string, sent int) {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := ccproxy.Settings{Plugins: map[string]map[string]any{echo.Name: {"delay": "1s"}}}
		proxy := start(t, s, into(&out, format))
		w := httptest.NewRecorder()
		proxy.ServeHTTP(w, r.WithContext(bubble(t, r)))
		sent = w.Body.Len()
		stop(t, proxy)
	})
	return out.String(), sent
}

// bubble is the context of a test's bubble with the caller of a request's.
func bubble(t *testing.T, r *http.Request) context.Context {
	t.Helper()
	ctx := t.Context()
	if c, ok := ccproxy.CallerFrom(r.Context()); ok {
		ctx = ccproxy.ContextWithCaller(ctx, c)
	}
	return ctx
}

func TestClientGone(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"false", "true"} {
		t.Run("stream "+stream, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			synctest.Test(t, func(t *testing.T) {
				s := ccproxy.Settings{Plugins: map[string]map[string]any{echo.Name: {"delay": "10s"}}}
				proxy := start(t, s, into(&out, accesslog.FormatStructured))
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				time.AfterFunc(25*time.Second, leave)
				if stream == "false" {
					leave()
				}
				body := strings.Replace(message, "{", `{"stream":true,`, 1)
				proxy.ServeHTTP(httptest.NewRecorder(), request("POST", "/echo/v1/messages", body).WithContext(ctx))
				stop(t, proxy)
			})
			var got struct {
				Status   int     `json:"status_code"`
				Duration float64 `json:"duration_ms"`
				Error    string  `json:"error"`
			}
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%v in %q", err, out.String())
			}
			if got.Status != 499 || got.Error != "client went away" {
				t.Errorf("line of a client that left = %+v, want status 499", got)
			}
			if stream == "true" && got.Duration != 25000 {
				t.Errorf("duration = %v ms, want 25000", got.Duration)
			}
		})
	}
}

func TestExcludedPaths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		path    string
		exclude []string
		want    bool
	}{
		{name: "default", path: "/health"},
		{name: "below a default", path: "/health/ready"},
		{name: "same beginning, other segment", path: "/healthy", want: true},
		{name: "elsewhere", path: "/x/health", want: true},
		{name: "own list replaces the defaults", path: "/health", exclude: []string{"/echo"}, want: true},
		{name: "own list", path: "/echo/v1/models", exclude: []string{"/plugins", "/echo/"}},
		{name: "empty list", path: "/health", exclude: []string{}, want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cfg := accesslog.DefaultConfig()
			cfg.Writer = &out
			if tt.exclude != nil {
				cfg.ExcludePaths = tt.exclude
			}
			proxy := start(t, ccproxy.Settings{}, ccproxy.WithPluginConfig(accesslog.Name, *cfg))
			proxy.ServeHTTP(httptest.NewRecorder(), request("GET", tt.path, ""))
			stop(t, proxy)
			if got := out.Len() > 0; got != tt.want {
				t.Errorf("%s is logged: %t, want %t", tt.path, got, tt.want)
			}
		})
	}
}

// TestLogger is the default: no file, one record of the proxy's log for each request.
func TestLogger(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		settings ccproxy.Settings
		want     map[string]any
	}{
		{
			name: "structured", want: map[string]any{
				"level": "INFO", "msg": "request", "plugin": "access_log", "path": "/plugins", "status_code": 200.0,
			},
		},
		{
			name: "common", settings: table(map[string]any{"client_format": "common"}), want: map[string]any{
				"level": "INFO", "msg": "request", "plugin": "access_log", "path": nil, "status_code": nil,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			proxy := start(t, tt.settings, ccproxy.WithLogger(slog.New(slog.NewJSONHandler(&out, nil))))
			proxy.ServeHTTP(httptest.NewRecorder(), request("GET", "/plugins", ""))
			stop(t, proxy)
			record := map[string]any{}
			for l := range strings.Lines(out.String()) {
				if strings.Contains(l, `"msg":"request"`) {
					if err := json.Unmarshal([]byte(l), &record); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := map[string]any{}
			for key := range tt.want {
				got[key] = record[key]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("record mismatch (-want +got):\n%s", diff)
			}
			if tt.name == "common" && !strings.Contains(record["line"].(string), `"GET /plugins HTTP/1.1" 200 `) {
				t.Errorf("line = %v", record["line"])
			}
		})
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "access.log")
	for range 2 { // the second proxy appends
		proxy := start(t, table(map[string]any{"client_log_file": path, "flush_interval": "1h"}))
		proxy.ServeHTTP(httptest.NewRecorder(), request("GET", "/plugins", ""))
		if got, err := os.ReadFile(path); err != nil || strings.Contains(string(got), "\n{") {
			t.Errorf("before Shutdown the file holds %q, %v, want less than this run's line", got, err)
		}
		stop(t, proxy)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(got), `"path":"/plugins","status_code":200,`); n != 2 || !bytes.HasSuffix(got, []byte("}\n")) {
		t.Errorf("file holds %d lines, want 2: %q", n, got)
	}
	if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode() != 0o600) {
		t.Errorf("mode = %v, %v, want 0600", info.Mode(), err)
	}
}

// TestLifeCycle walks the plugin through what can become of it.
func TestLifeCycle(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing", "access.log")
	tests := []struct {
		name     string
		settings ccproxy.Settings
		state    string
		reason   error
	}{
		{name: "defaults", state: "active"},
		{
			name: "opts out", settings: table(map[string]any{"client_enabled": false}),
			state: "skipped", reason: ccproxy.ErrSkip,
		},
		{
			name: "directories are not made", settings: table(map[string]any{"client_log_file": missing}),
			state: "failed", reason: os.ErrNotExist,
		},
		{
			name: "disabled", settings: ccproxy.Settings{DisabledPlugins: []string{accesslog.Name}},
			state: "disabled", reason: ccproxy.ErrDisabled,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			proxy := start(t, tt.settings)
			for _, s := range proxy.Statuses() {
				if s.Name == accesslog.Name && (s.State != tt.state || !errors.Is(s.Reason, tt.reason)) {
					t.Errorf("status = %s, %v, want %s, %v", s.State, s.Reason, tt.state, tt.reason)
				}
			}
			w := httptest.NewRecorder()
			proxy.ServeHTTP(w, request("POST", "/echo/v1/messages", message))
			if w.Code != http.StatusOK {
				t.Errorf("status of a request = %d, want 200", w.Code)
			}
			stop(t, proxy)
			stop(t, proxy)
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		keys map[string]any
		want string
	}{
		{name: "format", keys: map[string]any{"client_format": "xml"}, want: "plugins.access_log.client_format"},
		{name: "buffer", keys: map[string]any{"buffer_size": 0}, want: "plugins.access_log.buffer_size"},
		{name: "interval", keys: map[string]any{"flush_interval": 0}, want: "plugins.access_log.flush_interval"},
		{name: "path", keys: map[string]any{"exclude_paths": []any{"health"}}, want: "plugins.access_log.exclude_paths[0]"},
		{name: "unknown", keys: map[string]any{"client_formt": "common"}, want: "client_format"},
		{name: "the writer is code's", keys: map[string]any{"writer": "stdout"}, want: "plugins.access_log.writer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var reg ccproxy.Registry
			if err := reg.Register(accesslog.Factory()); err != nil {
				t.Fatal(err)
			}
			_, err := reg.Build(table(tt.keys))
			if !errors.Is(err, ccproxy.ErrConfig) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Build = %v, want an ErrConfig that names %s", err, tt.want)
			}
		})
	}
}
