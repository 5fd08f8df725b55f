package commandreplay_test

import (
	"context"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/plugintest"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/commandreplay"
	"github.com/ccproxy-go/ccproxy/system/requesttracer"
)

func TestPlugin(t *testing.T) { //nolint:paralleltest // it counts goroutines
	plugintest.TestFactory(t, commandreplay.Factory(),
		plugintest.Table(map[string]any{"log_dir": filepath.Join(t.TempDir(), "replay")}))
}

// TestScriptsOfBothSides sends a request through a real provider and looks at the scripts.
func TestScriptsOfBothSides(t *testing.T) {
	t.Parallel()
	const key, member = "upstream-canary-123456", "member-canary-654321"
	tests := []struct {
		name  string
		table map[string]any
		want  []string // kinds of files
	}{
		{name: "both", want: []string{"client_body", "client_curl.sh", "provider_body", "provider_curl.sh"}},
		{name: "provider", table: map[string]any{"include_client_requests": false}, want: []string{"provider_body", "provider_curl.sh"}},
		{
			name: "included", table: map[string]any{"include_url_patterns": []string{"api.anthropic.com"}},
			want: []string{"provider_body", "provider_curl.sh"},
		},
		{
			name: "excluded", table: map[string]any{"exclude_url_patterns": []string{"anthropic"}},
			want: []string{"client_body", "client_curl.sh"},
		},
		{name: "memory", table: map[string]any{"max_memory": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var up providertest.Upstream
			defer up.Close()
			up.Enqueue(providertest.Message("Hi"))
			dir := filepath.Join(t.TempDir(), "replay")
			table := map[string]any{"enabled": true, "log_dir": dir}
			maps.Copy(table, tt.table)
			var reg ccproxy.Registry
			if err := reg.Register(commandreplay.Factory(), requesttracer.Factory(), claudeapi.Factory()); err != nil {
				t.Fatal(err)
			}
			p, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
				commandreplay.Name: table, claudeapi.Name: {"api_key": key},
				requesttracer.Name: {"enabled": true, "log_dir": filepath.Join(t.TempDir(), "traces")},
			}}, ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart())
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			body := `{"model":"claude-sonnet-4-5","max_tokens":9,"metadata":{"api_key":"` + member +
				`"},"messages":[{"role":"user","content":"it's me and ` + key + `"}]}`
			p.ServeHTTP(httptest.NewRecorder(),
				httptest.NewRequestWithContext(t.Context(), "POST", "/claude/v1/messages", strings.NewReader(body)))
			if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
			check(t, dir, tt.want, key, member)
		})
	}
}

func check(t *testing.T, dir string, want []string, secrets ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[strings.SplitN(e.Name(), "_", 4)[3]] = string(text)
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), info, err)
		}
		for _, secret := range secrets {
			if at := providertest.FindSecret(string(text), secret); at != "" {
				t.Errorf("%s has a secret (%s):\n%s", e.Name(), at, text)
			}
		}
	}
	if len(found) != len(want) {
		t.Errorf("%d files, want %d", len(found), len(want))
	}
	for _, kind := range want {
		text := found[kind]
		if strings.HasSuffix(kind, "body") && !strings.Contains(text, "it's me") ||
			strings.HasSuffix(kind, ".sh") && !strings.Contains(text, "--data-binary") {
			t.Errorf("%s: %q", kind, text)
		}
	}
}
