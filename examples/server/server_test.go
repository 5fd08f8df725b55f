package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// TestBannerCommand does what a new user does: start the server, copy the command, stop the server.
func TestBannerCommand(t *testing.T) {
	t.Parallel()
	r := start(t)
	if !strings.Contains(r.banner, "/echo  (base URL, anthropic.messages)") || strings.Contains(r.banner, "/claude") {
		t.Errorf("banner = %s\nwant echo's address, and none of a provider that lacks its key", r.banner)
	}
	status, body := r.do(t, r.try(t))
	if status != http.StatusOK || !strings.Contains(body, `"text":"Hello"`) {
		t.Errorf("answer to the command = %d %s", status, body)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("run = %v", err)
	}
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
	r := start(t, "-config", tempFile(t, "enable_plugins = false\n"))
	if !strings.Contains(r.banner, "no plugin serves anything") {
		t.Errorf("banner = %s", r.banner)
	}
	if status, body := r.do(t, r.try(t)); status != http.StatusOK || !strings.Contains(body, `"status"`) {
		t.Errorf("answer to the command = %d %s", status, body)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("run = %v", err)
	}
}

// TestStopDuringStream stops the server after the first event of a stream.
func TestStopDuringStream(t *testing.T) {
	t.Parallel()
	r := start(t, "-config", tempFile(t, "[plugins.echo]\ndelay = \"20ms\"\n"))
	req := r.try(t)
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	req.Body = io.NopCloser(strings.NewReader(strings.Replace(string(body), "{", `{"stream":true,`, 1)))
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	first, err := in.ReadString('\n')
	if err != nil || first != "event: message_start\n" {
		t.Fatalf("stream begins with %q, %v", first, err)
	}
	r.stop()
	rest, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(rest), `"text":"Hello"`) || !strings.Contains(string(rest), "message_stop") {
		t.Errorf("after the stop the stream went on with %s, %v", rest, err)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("run = %v", err)
	}
	if log := r.log.String(); strings.Count(log, `"msg":"request"`) != 1 || !strings.Contains(log, `"status_code":200`) {
		t.Errorf("the stream is not in the log:\n%s", log)
	}
	if resp, err := r.client.Do(r.try(t)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a request after the stop = %v, %v, want a refused connection", resp, err)
	}
}

func TestGuards(t *testing.T) { //nolint:tparallel // see below
	t.Parallel()
	r := start(t)
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
	if err := r.wait(t); err != nil {
		t.Errorf("run = %v", err)
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
	var out, logged log
	err = run(t.Context(), []string{"-port", port}, &out, &logged, noEnv)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("run = %v, want the port to be taken", err)
	}
	if out.String() != "" || strings.Contains(logged.String(), "proxy started") {
		t.Errorf("before it knew, the server had said %q, %q", out.String(), logged.String())
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	r := start(t, "-config", tempFile(t, "[logging]\nlevel = \"error\"\n"))
	r.do(t, r.try(t))
	if err := r.wait(t); err != nil {
		t.Errorf("run = %v", err)
	}
	if r.log.String() != "" {
		t.Errorf("log = %s, want nothing at level error", r.log)
	}
}

// brokenWriter is a standard output that nobody reads.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestNobodyReadsTheBanner(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), []string{"-port", "0"}, brokenWriter{}, &log{}, noEnv); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("run = %v, want EPIPE", err)
	}
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, []string{"-port", "0"}, &log{}, &log{}, noEnv); !errors.Is(err, context.Canceled) {
		t.Errorf("run = %v, want context.Canceled", err)
	}
}
