package accesslog_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
)

// TestProviderLines sends requests through a real provider and reads both files.
func TestProviderLines(t *testing.T) {
	t.Parallel()
	var up providertest.Upstream
	defer up.Close()
	up.Enqueue(providertest.Message("Hi"), providertest.Message("Hello"),
		providertest.Error(400, "invalid_request_error", "no", nil))
	dir := t.TempDir()
	var reg ccproxy.Registry
	if err := reg.Register(accesslog.Factory(), claudeapi.Factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{Plugins: map[string]map[string]any{
		accesslog.Name: {
			"provider_enabled": true, "provider_log_file": filepath.Join(dir, "provider.log"),
			"client_log_file": filepath.Join(dir, "client.log"), "client_format": "common",
		},
		claudeapi.Name: {"api_key": "sk-canary"},
	}}, ccproxy.WithTransport(up.Transport()), ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []string{"false", "true", "false"} {
		body := strings.Replace(message, "{", `{"stream":`+stream+`,`, 1)
		proxy.ServeHTTP(httptest.NewRecorder(), request("POST", "/claude/v1/messages", body))
	}
	stop(t, proxy)
	client, err := os.ReadFile(filepath.Join(dir, "client.log"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(client), "\n"); n != 3 {
		t.Errorf("%d lines of the client, want 3:\n%s", n, client)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "provider.log"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "sk-canary") {
		t.Errorf("a line has the key:\n%s", raw)
	}
	type seen struct {
		Provider, URL string
		Status        int  `json:"status_code"`
		Input         *int `json:"tokens_input"`
		Failed        bool
		Error         string
	}
	var got []seen
	for text := range strings.Lines(string(raw)) {
		var s seen
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		s.Failed, s.Error = s.Error != "", ""
		got = append(got, s)
	}
	const url = "https://api.anthropic.com/v1/messages"
	tokens := 2
	want := []seen{
		{Provider: "claude", URL: url, Status: 200, Input: &tokens},
		{Provider: "claude", URL: url, Status: 200, Input: &tokens},
		{Provider: "claude", URL: url, Status: 400, Failed: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines of calls (-want +got):\n%s\n%s", diff, raw)
	}
}

func TestOneFileForBothKinds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.log")
	var reg ccproxy.Registry
	if err := reg.Register(accesslog.Factory()); err != nil {
		t.Fatal(err)
	}
	_, err := reg.Build(table(map[string]any{"client_log_file": path, "provider_log_file": path}))
	if err == nil || !strings.Contains(err.Error(), "plugins.access_log.provider_log_file") {
		t.Errorf("Build with one file for both = %v, want an error that names the key", err)
	}
}
