package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a server in this process.
type running struct {
	banner string
	client *http.Client
	log    *log
	stop   context.CancelFunc
	done   chan error
}

// start runs the server on a free port until the test stops it or ends.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{client: &http.Client{Transport: &http.Transport{}}, log: &log{}, stop: cancel, done: make(chan error, 1)}
	out, stdout := io.Pipe()
	go func() {
		err := run(ctx, append([]string{"-port", "0"}, args...), stdout, r.log, noEnv)
		stdout.CloseWithError(io.ErrUnexpectedEOF)
		r.done <- err
	}()
	buf := make([]byte, 64<<10)
	n, err := out.Read(buf) // the banner is one write
	if err != nil {
		t.Fatalf("no banner, run = %v", <-r.done)
	}
	r.banner = string(buf[:n])
	t.Cleanup(func() {
		cancel()
		r.client.CloseIdleConnections()
	})
	return r
}

// wait stops the server and returns what run returns.
func (r *running) wait(t *testing.T) error {
	t.Helper()
	r.stop()
	r.client.CloseIdleConnections()
	return <-r.done
}

// try is the request of the command that the banner offers.
func (r *running) try(t *testing.T) *http.Request {
	t.Helper()
	_, command, ok := strings.Cut(r.banner, "Try it:\n\n  curl -sS ")
	if !ok {
		t.Fatalf("no command in the banner:\n%s", r.banner)
	}
	command, rest, _ := strings.Cut(command, "\n")
	if strings.TrimSpace(rest) != "" {
		t.Errorf("the command has more than one line: %q", rest)
	}
	url, options, _ := strings.Cut(command, " ")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(strings.TrimSuffix(options, "'"), "'") // option, argument, option, argument
	for i := 0; i+1 < len(words); i += 2 {
		switch strings.TrimSpace(words[i]) {
		case "-H":
			name, value, _ := strings.Cut(words[i+1], ": ")
			req.Header.Set(name, value)
		case "-d":
			req.Method, req.Body = http.MethodPost, io.NopCloser(strings.NewReader(words[i+1]))
		default:
			t.Fatalf("unknown option %q in %q", words[i], command)
		}
	}
	return req
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

func noEnv(string) string { return "" }

func tempFile(t *testing.T, toml string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.toml")
	if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// log is a buffer that the server and a test may use at once.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
