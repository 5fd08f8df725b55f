package claudeapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
)

// fakeCLIName is what this test binary is called where it stands for Anthropic's command line.
const fakeCLIName = "fake-claude-cli"

// fakeCLI sends what a command line sends, and notes each of its runs beside its program.
func fakeCLI() int {
	runs, err := os.OpenFile(os.Args[0]+".runs", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	_, _ = fmt.Fprintln(runs, "run")
	_ = runs.Close()
	network := &http.Transport{DisableKeepAlives: true}
	base := os.Getenv("ANTHROPIC_BASE_URL")
	if req, err := http.NewRequest(http.MethodHead, base, nil); err == nil {
		if resp, err := network.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
	}
	req, err := http.NewRequest(http.MethodPost, base+"/v1/messages?beta=true", strings.NewReader(`{}`))
	if err != nil {
		return 1
	}
	for name, value := range map[string]string{
		"User-Agent": "claude-cli/9.9.9 (external, cli)", "X-App": "cli", "X-Stainless-Lang": "js",
		"X-Stainless-Retry-Count": "0", "Anthropic-Beta": "claude-code-20250219,effort-2025-11-24",
		"Authorization": "Bearer " + os.Getenv("ANTHROPIC_AUTH_TOKEN"), "X-Api-Key": os.Getenv("ANTHROPIC_API_KEY"),
		"X-Claude-Code-Session-Id": "the-session", "X-Stainless-Os": "Linux " + os.Getenv("CANARY") + os.Getenv("ANTHROPIC_AUTH_TOKEN"),
	} {
		req.Header.Set(name, value)
	}
	resp, err := network.RoundTrip(req)
	if err != nil {
		return 1
	}
	_ = resp.Body.Close()
	time.Sleep(time.Minute) // it hangs, and is ended
	return 0
}

// installed is a command line on this machine, of a version that changes.
type installed struct {
	mu      sync.Mutex
	path    string
	version string
}

func install(t *testing.T) *installed {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no links without privileges")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), fakeCLIName)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return &installed{path: path, version: "9.9.9 (Claude Code)"}
}

// Detect implements ccproxy.CLIDetector.
func (i *installed) Detect(context.Context, string) (ccproxy.CLI, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return ccproxy.CLI{Path: i.path, Version: i.version}, nil
}

func (i *installed) runs(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(i.path + ".runs")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

// asker starts a proxy and gives how to send it a request, and what it made of the header.
func asker(t *testing.T, cli *installed, s ccproxy.Settings) func(client http.Header) http.Header {
	t.Helper()
	up := &upstreamHeader{}
	p, err := build(s, ccproxy.WithTransport(up), ccproxy.WithCLIDetector(cli))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Shutdown(context.WithoutCancel(t.Context())) })
	return func(client http.Header) http.Header {
		req := httptest.NewRequest(http.MethodPost, "/claude/v1/messages", strings.NewReader(`{"model":"m"}`))
		maps.Copy(req.Header, client)
		rec := httptest.NewRecorder()
		p.ServeHTTP(rec, req)
		_, _ = io.Copy(io.Discard, rec.Body)
		return up.last
	}
}

// untilKnown asks until the upstream sees what the command line says of itself.
func untilKnown(t *testing.T, ask func(http.Header) http.Header) http.Header {
	t.Helper()
	for range 3000 {
		if h := ask(nil); h.Get("X-App") == "cli" {
			return h
		}
		time.Sleep(10 * time.Millisecond) // another program's start tells nothing
	}
	t.Fatal("the headers never became known")
	return nil
}

// The installed command line is run once, with no credentials and none taken; what it says of itself is sent for other
// clients, and kept for its version.
func TestCLIHeaders(t *testing.T) {
	t.Setenv("ANTHROPIC_AUTH_TOKEN", "canary-token")
	t.Setenv("CANARY", "canary-environment")
	cli, dir := install(t), filepath.Join(t.TempDir(), "cache")
	s := table("detect_cli_headers", true, "cli_headers_dir", dir, "headers", map[string]any{"X-Stainless-Lang": "configured"})
	ask := asker(t, cli, s)
	got := untilKnown(t, ask)
	want := http.Header{
		"User-Agent": {"claude-cli/9.9.9 (external, cli)"}, "X-App": {"cli"}, "X-Stainless-Lang": {"configured"},
		"X-Stainless-Os": {"Linux"}, "Anthropic-Beta": {"claude-code-20250219,effort-2025-11-24"},
		"Anthropic-Version": {"2023-06-01"}, "X-Api-Key": {"sk-secret"}, "Content-Type": {"application/json"},
		"Accept-Encoding": {"identity"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	own := http.Header{"User-Agent": {"claude-cli/1.0"}, "Anthropic-Beta": {"own"}}
	if got := ask(own); got.Get("User-Agent") != "claude-cli/1.0" || got.Get("Anthropic-Beta") != "own" {
		t.Errorf("of the command line itself was sent %v", got)
	}
	sdk := http.Header{"User-Agent": {"sdk/1"}, "Anthropic-Beta": {"own"}, "X-Stainless-Retry-Count": {"2"}}
	if got := ask(sdk); got.Get("User-Agent") != want.Get("User-Agent") || got.Get("Anthropic-Beta") != "own" ||
		got.Get("X-Stainless-Retry-Count") != "2" {
		t.Errorf("of an SDK was sent %v", got)
	}
	checkCache(t, dir)
	untilKnown(t, asker(t, cli, s))
	if n := cli.runs(t); n != 1 {
		t.Errorf("%d runs of one version, want one", n)
	}
	cli.mu.Lock()
	cli.version = "9.9.10 (Claude Code)"
	cli.mu.Unlock()
	untilKnown(t, asker(t, cli, s))
	if n := cli.runs(t); n != 2 {
		t.Errorf("%d runs of two versions, want two", n)
	}
}

func checkCache(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "claude_headers_9.9.9__Claude_Code_.json")
	var b []byte
	for range 1000 { // it is written after what it holds is used
		if b, _ = os.ReadFile(path); b != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	info, err := os.Stat(path)
	if err != nil || !json.Valid(b) || strings.Contains(string(b), "canary") || strings.Contains(string(b), "the-session") ||
		info.Mode().Perm() != 0o600 {
		t.Errorf("cache: %v, %s", err, b)
	}
}

// Without the setting nothing is run.
func TestNoCLIHeaders(t *testing.T) {
	t.Parallel()
	cli := install(t)
	if got := asker(t, cli, table())(nil); got.Get("X-App") != "" || cli.runs(t) != 0 {
		t.Errorf("sent %v after %d runs", got, cli.runs(t))
	}
}
