package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestBannerCommand does what a new user does: start the server, copy the command, stop the server.
func TestBannerCommand(t *testing.T) {
	t.Parallel()
	r := start(t, "")
	for _, want := range []string{
		"ccproxy 0.", "No key is asked for", "\necho\n", "  POST   /echo/v1/messages  ", "Anthropic Messages\n",
		"the proxy itself: /, /health, ", "\nleft out\n", "\n  claude_api: plugin opted out: no api_key (set ANTHROPIC_API_KEY, or plugins.claude_api.api_key)\n",
	} {
		if !strings.Contains(r.banner, want) {
			t.Errorf("banner lacks %q:\n%s", want, r.banner)
		}
	}
	if strings.Contains(r.banner, "/claude") {
		t.Errorf("banner has the address of a provider that does not run:\n%s", r.banner)
	}
	status, body := r.do(t, r.try(t))
	if status != http.StatusOK || !strings.Contains(body, `"text":"Hello"`) {
		t.Errorf("answer to the command = %d %s", status, body)
	}
	r.wait(t)
	logged := false
	for line := range strings.Lines(r.log.String()) {
		var record struct {
			Msg    string `json:"msg"`
			Path   string `json:"path"`
			Status int    `json:"status_code"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("log line is no JSON: %q", line)
		}
		logged = logged || record.Msg == "request" && record.Path == "/echo/v1/messages" && record.Status == 200
	}
	if !logged {
		t.Errorf("the request is not in the log:\n%s", r.log)
	}
}

func TestBannerWithoutEcho(t *testing.T) {
	t.Parallel()
	r := start(t, "disabled_plugins = [\"echo\"]\nsecurity.auth_token = \""+aKey+"\"\n")
	if strings.Contains(r.banner, "/echo") || !strings.Contains(r.banner, "\n  echo: disabled") {
		t.Errorf("banner = %s", r.banner)
	}
	if status, body := r.do(t, r.try(t)); status != http.StatusOK || !strings.Contains(body, `"status"`) {
		t.Errorf("answer to the command = %d %s", status, body)
	}
	r.wait(t)
}

// TestFile holds that each part of the file arrives where it belongs.
func TestFile(t *testing.T) {
	t.Parallel()
	r := start(t, `
[server]
host = "localhost"
port = 1
[logging]
format = "plain"
[security]
hosts = ["llm.example"]
[plugins.echo]
prefix = "you said: "
[plugins.access_log]
client_enabled = false
`)
	status, body := r.do(t, r.try(t)) // with a Host header that the server goes by
	if status != http.StatusOK || !strings.Contains(body, `"text":"you said: Hello"`) {
		t.Errorf("answer = %d %s", status, body)
	}
	if status, body := r.get(t, "/"); status != http.StatusForbidden {
		t.Errorf("by another name: %d %s, want 403", status, body)
	}
	r.wait(t)
	log := r.log.String()
	if !strings.Contains(log, "level=INFO") || strings.Contains(log, "msg=request ") {
		t.Errorf("log = %s\nwant plain lines, and none of requests", log)
	}
}

// TestKeys holds that everything but health asks for a key if one is configured.
func TestKeys(t *testing.T) {
	t.Parallel()
	r := start(t, "[[security.api_keys]]\nname = \"ci\"\nkey = \""+aKey+"\"\nmodels = [\"echo-1\"]\n")
	if !strings.Contains(r.banner, "A key is asked for") || !strings.Contains(r.banner, "Try it, with a key in CCPROXY_KEY:") {
		t.Errorf("banner does not tell of the key:\n%s", r.banner)
	}
	if strings.Contains(r.banner, aKey) {
		t.Errorf("banner shows the key:\n%s", r.banner)
	}
	if status, body := r.do(t, r.try(t)); status != http.StatusOK {
		t.Errorf("with the key: %d %s", status, body)
	}
	for name, key := range map[string]string{"another key": aKey + "x", "no key": ""} {
		req := r.try(t)
		if req.Header.Set("X-Api-Key", key); key == "" {
			req.Header.Del("X-Api-Key")
		}
		status, body := r.do(t, req)
		if status != http.StatusUnauthorized || !strings.Contains(body, "authentication_error") {
			t.Errorf("%s: %d %s, want 401 in the client's format", name, status, body)
		}
	}
	for path, want := range map[string]int{"/health/ready": 200, "/plugins": 401, "/openapi.json": 401, "/nothing": 401} {
		if status, body := r.get(t, path); status != want {
			t.Errorf("%s without a key: %d %s, want %d", path, status, body, want)
		}
	}
	r.wait(t)
	if strings.Contains(r.log.String(), aKey) {
		t.Errorf("log shows the key:\n%s", r.log)
	}
}

func TestGuards(t *testing.T) { //nolint:tparallel // see below
	t.Parallel()
	r := start(t, "")
	large := strings.Repeat("x", 80<<10)
	tests := []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{name: "as it is", change: func(*http.Request) {}, status: http.StatusOK},
		{name: "localhost", change: func(r *http.Request) { r.Host = "localhost:1" }, status: http.StatusOK},
		{name: "IPv6", change: func(r *http.Request) { r.Host = "[::1]" }, status: http.StatusOK},
		{name: "name that leads here", change: func(r *http.Request) { r.Host = "evil.example" }, status: http.StatusForbidden},
		{
			name: "page of another origin", status: http.StatusForbidden,
			change: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		},
		{
			name: "older browser", status: http.StatusForbidden,
			change: func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		},
		{
			name: "large header", status: http.StatusRequestHeaderFieldsTooLarge,
			change: func(r *http.Request) { r.Header.Set("X-Large", large) },
		},
	}
	for _, tt := range tests { //nolint:paralleltest // the server ends with this test
		t.Run(tt.name, func(t *testing.T) {
			req := r.try(t)
			tt.change(req)
			if status, body := r.do(t, req); status != tt.status {
				t.Errorf("answer = %d %s, want %d", status, body, tt.status)
			}
		})
	}
	r.wait(t)
}

// TestOtherMachines holds that nobody else's machine is served without a key, whatever the name of the address.
func TestOtherMachines(t *testing.T) {
	t.Parallel()
	const problem = "server.host: other machines could use your credentials, since no key is asked for: " +
		"set security.auth_token (in the environment SECURITY__AUTH_TOKEN), or listen on 127.0.0.1\n"
	for _, host := range []string{"0.0.0.0", "[::]", "192.0.2.1", "llm.example", ":0"} {
		code, out, stderr := runToEnd(t, []string{}, "-host", host, "-port", "0")
		if code != 2 || out != "" || stderr != "override: "+problem {
			t.Errorf("-host %s: exit code %d, %q, %q", host, code, out, stderr)
		}
	}
	path := tempFile(t, "\n[server]\nhost = \"0.0.0.0\"\nport = 0\n")
	if code, _, stderr := runToEnd(t, []string{}, "-config", path); code != 2 || stderr != path+":3:1: "+problem {
		t.Errorf("host of a file: exit code %d, %q", code, stderr)
	}

	r := start(t, "[security]\nauth_token = \""+aKey+"\"\n", "-host", "0.0.0.0")
	req := r.try(t)
	if status, body := r.do(t, req); status != http.StatusOK {
		t.Errorf("with a key: %d %s", status, body)
	}
	req = r.try(t)
	req.Host = "whatever.example"
	if status, body := r.do(t, req); status != http.StatusOK {
		t.Errorf("by another name, with a key: %d %s", status, body)
	}
	if status, body := r.get(t, "/plugins"); status != http.StatusUnauthorized {
		t.Errorf("without the key: %d %s", status, body)
	}
	r.wait(t)
}

// TestWrongConfiguration compares all that is said of it. Nothing has been served before.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	path := tempFile(t, `[server]
prot = 1
[security]
auth_token = "sk-secret your"
origins = ["example.com"]
[plugins.ecko]
[plugins.echo]
delay = "2m"
[plugins.claude_api]
api_key = ["sk-secret"]
`)
	want := path + ":2:1: server.prot: unknown key (did you mean \"port\"?)\n" +
		path + ":4:14: security.auth_token: the value has spaces or other characters that a header cannot carry\n" +
		path + ":5:12: security.origins[0]: want scheme://host or scheme://host:port, without a path; " +
		"the host may begin with \"*.\" or the port be \"*\"\n" +
		path + ":6:10: plugins.ecko: no plugin of this name is registered (did you mean \"echo\"?)\n" +
		path + ":8:9: plugins.echo.delay: must be at most 1m0s\n" +
		path + ":10:11: plugins.claude_api.api_key: is a list, must be a string\n" +
		"environment SERVER__PORT: server.port: is a string, must be a whole number\n"
	code, out, stderr := runToEnd(t, []string{"SERVER__PORT=http"}, "-config", path)
	if code != 2 || out != "" || stderr != want {
		t.Errorf("exit code %d, %q, standard error:\n%swant:\n%s", code, out, stderr, want)
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{name: "port", args: []string{"-port", "65536"}, code: 2, want: "override: server.port: must be at most 65535\n"},
		{name: "port that is none", args: []string{"-port", "http"}, code: 2, want: "override: server.port: is a string, must be a whole number\n"},
		{name: "no host", args: []string{"-host", ""}, code: 2, want: "override: server.host: must be set\n"},
		{name: "argument", args: []string{"serve"}, code: 2, want: "unexpected argument \"serve\"\nUsage of server:\n"},
		{name: "flag", args: []string{"-prot", "1"}, code: 2, want: "flag provided but not defined: -prot\nUsage of server:\n"},
		{name: "old flag", args: []string{"-allow-remote"}, code: 2, want: "flag provided but not defined: -allow-remote\n"},
		{name: "no file", args: []string{"-config", "missing.toml"}, code: 2, want: "invalid configuration: open "},
		{name: "help", args: []string{"-h"}, code: 0, want: "Usage of server:\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, out, stderr := runToEnd(t, []string{}, tt.args...)
			if code != tt.code || out != "" || !strings.HasPrefix(stderr, tt.want) {
				t.Errorf("exit code %d, %q, %q, want %d and %q", code, out, stderr, tt.code, tt.want)
			}
		})
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	code, out, stderr := runToEnd(t, []string{}, "-port", port)
	if code != 1 || out != "" || !strings.HasPrefix(stderr, "server: listen tcp") ||
		!strings.Contains(stderr, syscall.EADDRINUSE.Error()) {
		t.Errorf("exit code %d, %q, %q, want the port to be taken, and nothing started", code, out, stderr)
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	r := start(t, "[logging]\nlevel = \"error\"\n")
	r.do(t, r.try(t))
	r.wait(t)
	if r.log.String() != "" {
		t.Errorf("log = %s, want nothing at level error", r.log)
	}
}

// TestWarnings holds that what is doubtful is in the log, here with colours.
func TestWarnings(t *testing.T) {
	t.Parallel()
	path := tempFile(t, "[logging]\nformat = \"rich\"\n")
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	r := start(t, "", "-config", path)
	r.wait(t)
	if log := r.log.String(); !strings.Contains(log, "\x1b[") || !strings.Contains(log, "lets others write the file") {
		t.Errorf("log = %q, want a warning, and colours", log)
	}
}

// brokenWriter is a standard output that nobody reads.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestNobodyReadsTheBanner(t *testing.T) {
	t.Parallel()
	stderr := newLog()
	p := process{args: []string{"-port", "0"}, environ: []string{}, dir: t.TempDir(), stdout: brokenWriter{}, stderr: stderr}
	if code := run(t.Context(), p); code != 1 || !strings.Contains(stderr.String(), "server: "+syscall.EPIPE.Error()) {
		t.Errorf("exit code %d, %s, want 1 and EPIPE", code, stderr)
	}
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := process{args: []string{"-port", "0"}, environ: []string{}, dir: t.TempDir(), stdout: newLog(), stderr: newLog()}
	if code := run(ctx, p); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}
