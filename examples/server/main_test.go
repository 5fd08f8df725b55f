package main

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
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// aKey is a key of the tests' clients.
const aKey = "kZ3-of-the-tests-9fQ"

// running is a server in this process.
type running struct {
	banner  string
	address string
	client  *http.Client
	log     *log
	hangup  chan os.Signal
	stop    context.CancelFunc
	done    chan int
}

// start runs the server on a free port, with a file if toml is not empty, until the test stops it or ends.
func start(t *testing.T, toml string, args ...string) *running {
	t.Helper()
	if toml != "" {
		args = append(args, "-config", tempFile(t, toml))
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{
		client: &http.Client{Transport: &http.Transport{}}, log: newLog(), hangup: make(chan os.Signal, 1),
		stop: cancel, done: make(chan int, 1),
	}
	out, stdout := io.Pipe()
	p := process{
		args: append([]string{"-port", "0"}, args...), environ: []string{}, dir: t.TempDir(),
		stdout: stdout, stderr: r.log, hangup: r.hangup,
	}
	go func() {
		code := run(ctx, p)
		stdout.CloseWithError(io.ErrUnexpectedEOF)
		r.done <- code
	}()
	buf := make([]byte, 64<<10)
	n, err := out.Read(buf) // the banner is one write
	if err != nil {
		t.Fatalf("no banner, exit code %d:\n%s", <-r.done, r.log)
	}
	r.banner = string(buf[:n])
	r.address = regexp.MustCompile(`http://\S+`).FindString(r.banner)
	t.Cleanup(func() {
		cancel()
		r.client.CloseIdleConnections()
	})
	return r
}

// wait stops the server and checks how it ends.
func (r *running) wait(t *testing.T) {
	t.Helper()
	r.stop()
	r.client.CloseIdleConnections()
	if code := <-r.done; code != 0 {
		t.Errorf("exit code %d, want 0:\n%s", code, r.log)
	}
}

// try is the request of the command that the banner offers, with a key in the variable if it is used.
func (r *running) try(t *testing.T) *http.Request {
	t.Helper()
	_, command, ok := strings.Cut(r.banner, ":\n\n  curl -sS ")
	if !ok {
		t.Fatalf("no command in the banner:\n%s", r.banner)
	}
	command, rest, _ := strings.Cut(command, "\n")
	if strings.TrimSpace(rest) != "" {
		t.Errorf("the command has more than one line: %q", rest)
	}
	words := shellWords(t, command)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, words[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i+1 < len(words); i += 2 {
		switch words[i] {
		case "-H":
			name, value, _ := strings.Cut(words[i+1], ": ")
			if req.Header.Set(name, value); name == "host" {
				req.Host = value
			}
		case "-d":
			req.Method, req.Body = http.MethodPost, io.NopCloser(strings.NewReader(words[i+1]))
		default:
			t.Fatalf("unknown option %q in %q", words[i], command)
		}
	}
	return req
}

// shellWords splits a command as a shell does, as far as the banner makes use of it.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	var words []string
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(command, -1) {
		if m[3] != "" && strings.ContainsAny(m[3], `'"$`) {
			t.Fatalf("%q: a shell reads that otherwise", command)
		}
		words = append(words, m[1]+strings.ReplaceAll(m[2], "$CCPROXY_KEY", aKey)+m[3])
	}
	return words
}

func (r *running) do(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (r *running) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.do(t, req)
}

// runToEnd runs a server that is not expected to come up.
func runToEnd(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // for one that comes up in spite of it
	defer cancel()
	out, logged := newLog(), newLog()
	code = run(ctx, process{args: args, environ: environ, dir: t.TempDir(), stdout: out, stderr: logged})
	return code, out.String(), logged.String()
}

func tempFile(t *testing.T, toml string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.toml")
	overwrite(t, path, toml)
	return path
}

func overwrite(t *testing.T, path, toml string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
}

// log is a buffer that the server writes to and a test may wait for.
type log struct {
	mu      sync.Mutex
	written sync.Cond
	buf     bytes.Buffer
}

func newLog() *log {
	l := new(log)
	l.written.L = &l.mu
	return l
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written.Broadcast()
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// await returns when the log has a text n times, which does not take long.
func (l *log) await(t *testing.T, text string, n int) {
	t.Helper()
	late := false
	timer := time.AfterFunc(30*time.Second, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		late = true
		l.written.Broadcast()
	})
	defer timer.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for bytes.Count(l.buf.Bytes(), []byte(text)) < n {
		if late {
			t.Fatalf("the log lacks %q:\n%s", text, l.buf.Bytes())
		}
		l.written.Wait()
	}
}
