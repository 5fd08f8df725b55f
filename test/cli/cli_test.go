package cli_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
	"github.com/ccproxy-go/ccproxy/providers/claudesdk"
	"github.com/ccproxy-go/ccproxy/providers/codex"
	"github.com/ccproxy-go/ccproxy/providers/openaicompat"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

// proxy serves plugins on the loopback interface.
func proxy(t *testing.T, plugins map[string]map[string]any) string {
	t.Helper()
	var reg ccproxy.Registry
	if err := reg.Register(claudeapi.Factory(), claudesdk.Factory(), codex.Factory(), openaicompat.Factory()); err != nil {
		t.Fatal(err)
	}
	settings := ccproxy.Settings{Plugins: plugins, EnabledPlugins: []string{}}
	for name := range plugins {
		settings.EnabledPlugins = append(settings.EnabledPlugins, name)
	}
	p, err := reg.Build(settings, ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.Close()
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// silent keeps the programs from asking anybody but the test.
func silent(t *testing.T) map[string]string {
	t.Helper()
	home := t.TempDir()
	return map[string]string{
		"HOME": home, "CLAUDE_CONFIG_DIR": filepath.Join(home, "claude"), "CODEX_HOME": filepath.Join(home, "codex"),
		"PATH": os.Getenv("PATH"), "DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1", "DISABLE_AUTOUPDATER": "1",
		"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "NO_PROXY": "127.0.0.1",
	}
}

// run runs a program in an empty directory, which it returns with the output.
func run(t *testing.T, path string, env map[string]string, args ...string) (dir, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = 5 * time.Second
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(path), err, b)
	}
	return cmd.Dir, string(b)
}

// bash is a use of Claude Code's own tool.
func bash() call {
	return call{"Bash", `{"command":"printf 'marker-%d\\n' 4711 > made.txt && cat made.txt","description":"make a file"}`}
}

func made(t *testing.T, dir string) {
	t.Helper()
	if b, err := os.ReadFile(filepath.Join(dir, "made.txt")); err != nil || string(b) != "marker-4711\n" {
		t.Errorf("the tool was not used: %q, %v", b, err)
	}
}

// Claude Code works through the proxy, whatever API is behind it: it asks, uses a tool, and says what came of it.
func TestClaudeAsClient(t *testing.T) {
	t.Parallel()
	path := program(t, "claude")
	tests := []struct {
		name, prefix string
		plugins      func(url string) map[string]map[string]any
	}{
		{"claude_api", "/claude", func(url string) map[string]map[string]any {
			return map[string]map[string]any{claudeapi.Name: {"api_key": "sk-ant-0123456789", "base_url": url}}
		}},
		{"codex", "/codex", func(url string) map[string]map[string]any {
			return map[string]map[string]any{codex.Name: {"api_key": "sk-0123456789", "backend": "chatgpt", "base_url": url + "/v1"}}
		}},
		{"openai_compat", "/local", func(url string) map[string]map[string]any {
			return map[string]map[string]any{openaicompat.Name: {"instances": map[string]any{
				"local": map[string]any{"base_url": url + "/v1", "models": []any{"local"}},
			}}}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			up := serve(t, bash())
			env := silent(t)
			env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_API_KEY"] = proxy(t, tt.plugins(up.url))+tt.prefix, "sk-ant-fake-0123456789"
			dir, out := run(t, path, env, "-p", "make the file", "--output-format=json", "--allowedTools=Bash", "--model=claude-sonnet-4-5")
			made(t, dir)
			var result struct {
				Result  string `json:"result"`
				IsError bool   `json:"is_error"`
			}
			if err := json.Unmarshal([]byte(out), &result); err != nil || result.IsError || result.Result != "The tool said: marker-4711" {
				t.Errorf("%v: %s", err, out)
			}
			if told, asked := up.told(); told != "marker-4711" || asked != 2 {
				t.Errorf("the API was asked %d times and told %q", asked, told)
			}
		})
	}
}

// Codex works through the proxy.
func TestCodexAsClient(t *testing.T) {
	t.Parallel()
	path := program(t, "codex")
	up := serve(t, call{"exec_command", `{"cmd":"printf 'marker-%d\\n' 4711 > made.txt && cat made.txt"}`})
	url := proxy(t, map[string]map[string]any{codex.Name: {"api_key": "sk-0123456789", "backend": "chatgpt", "base_url": up.url + "/v1"}})
	env := silent(t)
	env["PROXY_KEY"] = "sk-fake-0123456789"
	if err := os.MkdirAll(env["CODEX_HOME"], 0o700); err != nil {
		t.Fatal(err)
	}
	config := "model = \"gpt-5.5\"\nmodel_provider = \"proxy\"\n[features]\nplugins = false\n[model_providers.proxy]\nname = \"proxy\"\nbase_url = \"" + url +
		"/codex/v1\"\nwire_api = \"responses\"\nenv_key = \"PROXY_KEY\"\n"
	if err := os.WriteFile(filepath.Join(env["CODEX_HOME"], "config.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, out := run(t, path, env, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "make the file")
	made(t, dir)
	if !strings.Contains(out, "The tool said: marker-4711") {
		t.Errorf("Codex says: %s", out)
	}
	if told, asked := up.told(); told != "marker-4711" || asked != 2 {
		t.Errorf("the API was asked %d times and told %q", asked, told)
	}
}

// post asks the proxy in the Messages format.
func post(t *testing.T, url, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// sdk is a proxy with the provider claude_sdk, whose CLI asks an upstream.
func sdk(t *testing.T, up *upstream, more map[string]any) string {
	t.Helper()
	env := map[string]any{"ANTHROPIC_BASE_URL": up.url, "ANTHROPIC_API_KEY": "sk-ant-fake-0123456789"}
	for name, value := range silent(t) {
		env[name] = value
	}
	table := map[string]any{"enabled": true, "cli_path": program(t, "claude"), "env": env, "models": []any{"claude-sonnet-4-5"}}
	maps.Copy(table, more)
	return proxy(t, map[string]map[string]any{claudesdk.Name: table})
}

const question = `{"model":"claude-sonnet-4-5","max_tokens":1000,"stream":STREAM,"system":"be brief","messages":[{"role":"user","content":"TEXT"}]}`

func ask(text, stream string) string {
	return strings.NewReplacer("TEXT", text, "STREAM", stream).Replace(question)
}

// The provider claude_sdk answers with the real CLI, which uses its tool when it may.
func TestClaudeSDK(t *testing.T) {
	t.Parallel()
	for _, allow := range []string{"allow", "deny"} {
		for _, stream := range []string{"true", "false"} {
			t.Run(allow+" "+stream, func(t *testing.T) {
				t.Parallel()
				up, dir := serve(t, bash()), t.TempDir()
				url := sdk(t, up, map[string]any{"permission_default": allow, "message_mode": "forward", "cwd": dir})
				status, out := post(t, url+"/claude/sdk/v1/messages", ask("make the file", stream))
				want := "The tool said: marker-4711"
				if allow == "deny" {
					want = "The tool said: another thing"
				}
				if status != http.StatusOK || !strings.Contains(join(out), want) || !strings.Contains(out, "tool_use_sdk") || !strings.Contains(out, "total_cost_usd") {
					t.Errorf("%d %s", status, out)
				}
				if allow == "allow" {
					made(t, dir)
				} else if _, err := os.Stat(filepath.Join(dir, "made.txt")); err == nil {
					t.Error("the tool was used")
				}
			})
		}
	}
}

// join takes out what stands between the parts of a streamed text.
func join(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var ev struct {
			Delta struct {
				Text string `json:"text"`
			} `json:"delta"`
		}
		_ = json.Unmarshal([]byte(data), &ev)
		b.WriteString(ev.Delta.Text)
	}
	return b.String() + out
}

// The real CLI takes a conversation that it has not had, attaches no files, and takes no commands.
func TestConversation(t *testing.T) {
	t.Parallel()
	up := serve(t, call{name: "NoSuchTool"})
	secret := filepath.Join(t.TempDir(), "secret.txt")
	if err := os.WriteFile(secret, []byte("TOP-SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := sdk(t, up, nil)
	status, out := post(t, url+"/claude/sdk/s1/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":1000,"system":"be brief","messages":[
		{"role":"user","content":"old question"},{"role":"assistant","content":[{"type":"text","text":"old answer"},{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"}]},{"role":"assistant","content":"It is sunny"},
		{"role":"user","content":[{"type":"text","text":"/clear @`+secret+`"}]}]}`)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, out)
	}
	last, _ := up.Last()
	order := []string{"old question", "old answer", "toolu_1", "sunny", "It is sunny", "/clear @"}
	at := 0
	for _, text := range order {
		next := strings.Index(string(last.Body[at:]), text)
		if next < 0 {
			t.Fatalf("%q is not in its place: %s", text, last.Body)
		}
		at += next
	}
	if strings.Contains(string(last.Body), "TOP-SECRET") || !strings.Contains(string(last.Body), "be brief") {
		t.Errorf("the API was sent %s", last.Body)
	}
}

// What the API refuses reaches the client.
func TestRefusal(t *testing.T) {
	t.Parallel()
	up := serve(t, bash())
	up.Handler = func(providertest.Request) providertest.Reply {
		return providertest.Error(http.StatusBadRequest, "invalid_request_error", "that is not to be had", nil)
	}
	status, out := post(t, sdk(t, up, nil)+"/claude/sdk/v1/messages", ask("hello", "true"))
	if status != http.StatusBadRequest || !strings.Contains(out, `"that is not to be had"`) {
		t.Errorf("%d %s", status, out)
	}
}

// sessions is how many CLIs a proxy has.
func sessions(t *testing.T, url string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/plugins/claude_sdk/health", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var health struct {
		Details struct {
			Sessions *int `json:"sessions"`
		} `json:"details"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil || health.Details.Sessions == nil {
		t.Fatalf("health: %v", err)
	}
	return *health.Details.Sessions
}

// A session goes on with the CLI that it has, and starts one that knows all where its client says something else.
func TestSession(t *testing.T) {
	t.Parallel()
	up := serve(t, bash())
	url := sdk(t, up, map[string]any{"tools": []any{}})
	turn := func(messages string) {
		status, out := post(t, url+"/claude/sdk/s/v1/messages", `{"model":"claude-sonnet-4-5","max_tokens":1000,"messages":[`+messages+`]}`)
		if status != http.StatusOK || !strings.Contains(out, "The tool said: nothing") {
			t.Fatalf("%d %s", status, out)
		}
	}
	first := `{"role":"user","content":"first"}`
	turn(first)
	turn(first + `,{"role":"assistant","content":"The tool said: nothing"},{"role":"user","content":"second"}`)
	if n := sessions(t, url); n != 1 {
		t.Errorf("%d CLIs, want the one that was there", n)
	}
	turn(first + `,{"role":"assistant","content":"I said no such thing"},{"role":"user","content":"second"}`)
	if n := sessions(t, url); n != 2 {
		t.Errorf("%d CLIs, want another one", n)
	}
	if last, _ := up.Last(); !strings.Contains(string(last.Body), "I said no such thing") {
		t.Errorf("the API was sent %s", last.Body)
	}
}

// A client that goes away stops the CLI, and with it what the API does for it.
func TestCancel(t *testing.T) {
	t.Parallel()
	up := serve(t, bash())
	asked, release := make(chan struct{}, 1), make(chan struct{})
	defer close(release)
	up.Handler = func(r providertest.Request) providertest.Reply {
		if !strings.HasSuffix(r.Path, "/messages") {
			return nil
		}
		select {
		case asked <- struct{}{}:
		default:
		}
		return providertest.Stall(release, providertest.Message("late"))
	}
	url := sdk(t, up, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/claude/sdk/s/v1/messages", strings.NewReader(ask("hello", "true")))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-asked
		cancel()
	}()
	if resp, err := http.DefaultClient.Do(r); err == nil {
		resp.Body.Close()
		t.Fatalf("answered %d", resp.StatusCode)
	}
	<-up.Canceled()
	for deadline := time.Now().Add(30 * time.Second); sessions(t, url) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the CLI still runs")
		}
	}
}
