package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPluginIsShort(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("plugin.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(src)) {
		if strings.TrimSpace(line) != "" {
			n++
		}
	}
	if n > 50 {
		t.Errorf("the plugin has %d lines, and should show that 50 are enough", n)
	}
}

func TestProvider(t *testing.T) {
	t.Parallel()
	var reg ccproxy.Registry
	if err := reg.Register(factory()); err != nil {
		t.Fatal(err)
	}
	proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithStrictStart())
	if err != nil {
		t.Fatal(err)
	}
	if err := proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.Close()
		if err := proxy.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})

	const messages = `"messages":[{"role":"system","content":"x"},{"role":"user","content":"hello"}]`
	tests := []struct {
		name, body string
		status     int
		wants      []string
	}{
		{
			name: "answer", body: `{"model":"shout-1",` + messages + `}`, status: http.StatusOK,
			wants: []string{`"content":"HELLO"`, `"object":"chat.completion"`, `"model":"shout-1"`},
		},
		{
			name: "stream", body: `{"model":"shout-1","stream":true,` + messages + `}`, status: http.StatusOK,
			wants: []string{`"content":"HELLO"`, `"object":"chat.completion.chunk"`, "data: [DONE]\n\n"},
		},
		{
			name: "mistake", body: `{"model":"shout-1"}`, status: http.StatusBadRequest,
			wants: []string{"messages: missing", "invalid_request_error"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			resp, err := server.Client().Post(server.URL+"/shout/v1/chat/completions", "application/json", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status {
				t.Errorf("status = %d, want %d", resp.StatusCode, tt.status)
			}
			for _, want := range tt.wants {
				if !strings.Contains(string(got), want) {
					t.Errorf("answer has no %s: %s", want, got)
				}
			}
		})
	}
}
