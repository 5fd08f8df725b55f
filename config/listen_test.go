package config_test

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

func loadOverride(t *testing.T, override map[string]any) *config.File {
	t.Helper()
	f, err := config.Load(nil, config.Options{Dir: t.TempDir(), Environ: []string{}, Override: override})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSettingsAt(t *testing.T) {
	t.Parallel()
	const key = "kZ3-of-the-tests-9fQ"
	tests := []struct {
		name     string
		override map[string]any
		ip       string
		hosts    []string
		refused  bool
	}{
		{name: "this machine", ip: "127.0.0.1", hosts: []string{"localhost", "127.0.0.1", "[::1]"}},
		{name: "this machine by another address", ip: "127.0.0.2", hosts: []string{"localhost", "127.0.0.1", "[::1]", "127.0.0.2"}},
		{name: "names of its own", ip: "::1", override: map[string]any{"security.hosts": "llm.example"}, hosts: []string{"llm.example"}},
		{name: "other machines", ip: "0.0.0.0", refused: true},
		{name: "other machines, with a key", ip: "192.0.2.1", override: map[string]any{"security.auth_token": key}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			settings, err := loadOverride(t, tt.override).SettingsAt(&net.TCPAddr{IP: net.ParseIP(tt.ip), Port: 1})
			if (err != nil) != tt.refused || tt.refused && !errors.Is(err, ccproxy.ErrConfig) {
				t.Fatalf("error = %v", err)
			}
			if diff := cmp.Diff(tt.hosts, settings.Security.Hosts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestListen opens no port that other machines could use without a key.
func TestListen(t *testing.T) {
	t.Parallel()
	f := loadOverride(t, map[string]any{"server.host": "0.0.0.0", "server.port": 0})
	if l, err := f.Listen(t.Context()); err == nil {
		_ = l.Close()
		t.Error("listens on all addresses without a key")
	}
	l, err := loadOverride(t, map[string]any{"server.host": "LOCALHOST", "server.port": 0}).Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	taken := loadOverride(t, map[string]any{"server.host": l.Addr().(*net.TCPAddr).IP.String(), "server.port": port})
	second, err := taken.Listen(t.Context())
	if err == nil {
		_ = second.Close()
	}
	if runtime.GOOS != "windows" && (err == nil || !strings.Contains(err.Error(), "server.port")) {
		t.Errorf("a port that is taken: %v, want an error that names server.port", err)
	}
}
