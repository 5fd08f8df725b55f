package command

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/ccproxy-go/ccproxy/bundled"
)

// log takes what a program writes, and tells when something is in it.
type log struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func newLog() *log { return &log{wrote: make(chan struct{}, 1)} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until a pattern is there, and gives its first group.
func (l *log) await(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for {
		if found := re.FindStringSubmatch(l.String()); found != nil {
			return found[len(found)-1]
		}
		select {
		case <-l.wrote:
		case <-t.Context().Done():
			t.Fatalf("no %q in:\n%s", pattern, l)
		}
	}
}

// process is a program that runs in the test's process.
type process struct {
	stdout, stderr *log
	stop           context.CancelFunc
	exit           chan int
	dir            string
}

// start runs a command line until the test stops it or ends.
func start(t *testing.T, o Options, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{stdout: newLog(), stderr: newLog(), stop: cancel, exit: make(chan int, 1), dir: o.Dir}
	if o.Factories == nil {
		o.Factories = bundled.Factories()
	}
	if p.dir == "" {
		p.dir = t.TempDir()
	}
	if o.Environ == nil {
		o.Environ = []string{"HOME=" + p.dir}
	}
	if o.Stdin == nil {
		o.Stdin = strings.NewReader("")
	}
	o.Dir, o.Stdout, o.Stderr = p.dir, p.stdout, p.stderr
	var done sync.WaitGroup
	done.Go(func() { p.exit <- Run(ctx, o, args) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return p
}

func (p *process) wait(t *testing.T, want int) {
	t.Helper()
	select {
	case got := <-p.exit:
		if got != want {
			t.Errorf("exit code %d, want %d; standard error:\n%s", got, want, p.stderr)
		}
	case <-t.Context().Done():
		t.Fatalf("the program runs on:\n%s\n%s", p.stdout, p.stderr)
	}
}

func get(t *testing.T, address, key string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("X-Api-Key", key)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

const aKey = "kZ3-of-the-tests-9fQ"

// TestServe serves with all flags, and ends as a program that was told to stop.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := "disabled_plugins = [\"echo\"]\nenabled_plugins = [\"access_log\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "ccproxy.toml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, Options{Dir: dir}, "serve", "--port", "0", "--host", "localhost", "--auth-token", aKey,
		"--enable-plugin", "echo", "--disable-plugin", "codex", "--log-level", "debug",
		"--log-file", filepath.Join(dir, "log"))
	address := p.stdout.await(t, `on (http://\S+)\n`)
	p.stdout.await(t, `export OPENAI_API_KEY='<the key>'\n`)
	for _, want := range []string{
		"configured by ", "ccproxy.toml\n", "a key is asked for", "echo", "export ANTHROPIC_BASE_URL=" + address + "\n",
		"export OPENAI_BASE_URL=" + address + "/v1\n", "codex", "disabled",
	} {
		if !strings.Contains(p.stdout.String(), want) {
			t.Errorf("no %q in the banner:\n%s", want, p.stdout)
		}
	}
	if status, body := get(t, address+"/echo/v1/models", aKey); status != http.StatusOK {
		t.Errorf("with the key: %d %s", status, body)
	}
	if status, body := get(t, address+"/echo/v1/models", ""); status != http.StatusUnauthorized {
		t.Errorf("without the key: %d %s", status, body)
	}
	if status, _ := get(t, address+"/codex/v1/models", aKey); status != http.StatusNotFound {
		t.Errorf("of a plugin that is off: %d", status)
	}
	p.stop()
	p.wait(t, ExitOK)
	content, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil || !strings.Contains(string(content), `"msg":"stopping"`) {
		t.Errorf("log file: %s, %v", content, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "log")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("log file: %v, %v, want it to be the user's alone", info, err)
	}
	for _, text := range []string{p.stdout.String(), p.stderr.String(), string(content)} {
		if strings.Contains(text, aKey) {
			t.Errorf("the key is shown:\n%s", text)
		}
	}
}

// TestServeIsTheDefault serves without a command, and status sees it.
func TestServeIsTheDefault(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "-p", "0")
	address := p.stdout.await(t, `on (http://\S+)\n`)
	p.stdout.await(t, `no key is asked for`)
	_, port, _ := strings.Cut(strings.TrimPrefix(address, "http://"), ":")
	s := start(t, Options{Environ: []string{"SERVER__PORT=" + port, "HOME=" + t.TempDir()}}, "status")
	s.wait(t, ExitOK)
	if !strings.Contains(s.stdout.String(), address+" ready\n") {
		t.Errorf("status does not see the server:\n%s", s.stdout)
	}
	p.stop()
	p.wait(t, ExitOK)
}

// TestReload takes a changed file over when it is told to, and keeps what runs when the file is wrong.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "ccproxy.toml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[plugins.echo]\nmodels = [\"first\"]\n")
	hangup := make(chan os.Signal)
	p := start(t, Options{Dir: dir, Hangup: hangup}, "serve", "-p", "0", "--reload=false")
	address := p.stdout.await(t, `on (http://\S+)\n`)
	write("[plugins.echo]\nmodels = [\"second\"]\n")
	hangup <- os.Interrupt
	p.stderr.await(t, `"msg":"configuration loaded"`)
	if _, body := get(t, address+"/echo/v1/models", ""); !strings.Contains(body, "second") {
		t.Errorf("after the reload: %s", body)
	}
	write("[plugins.echo]\nmodels = 3\n")
	hangup <- os.Interrupt
	p.stderr.await(t, `"msg":"configuration not reloaded`)
	if _, body := get(t, address+"/echo/v1/models", ""); !strings.Contains(body, "second") {
		t.Errorf("after a wrong file: %s", body)
	}
	p.stop()
	p.wait(t, ExitOK)
}

// TestTakenPort is a failure, and no mistake of the command line.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	p := start(t, Options{}, "-p", "0")
	address := p.stdout.await(t, `on http://\S+:(\d+)\n`)
	second := start(t, Options{}, "-p", address)
	second.wait(t, ExitFailure)
	if !strings.Contains(second.stderr.String(), "ccproxy: listen tcp") || second.stdout.String() != "" {
		t.Errorf("%s\n%s", second.stdout, second.stderr)
	}
	p.stop()
	p.wait(t, ExitOK)
}
