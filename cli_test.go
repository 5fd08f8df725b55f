package ccproxy_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// A program that leaves something behind which keeps its output open holds nobody up: all who ask wait in a line.
func TestDetectDoesNotWaitForChildren(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a shell script")
	}
	dir := t.TempDir()
	script := "#!/bin/sh\nsleep 30 &\necho $! > " + filepath.Join(dir, "pid") + "\necho 1.2.3 '(Acme Code)'\nyes | head -c 100000\n"
	if err := os.WriteFile(filepath.Join(dir, "acme"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Cleanup(func() {
		text, _ := os.ReadFile(filepath.Join(dir, "pid"))
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			if child, err := os.FindProcess(pid); err == nil {
				_ = child.Kill()
			}
		}
	})
	var detector ccproxy.CLIDetector
	p := built(t, ccproxy.Settings{}, []ccproxy.Factory{ccproxy.NewFactory(ccproxy.Manifest{Name: "asker"},
		func() ccproxy.Plugin {
			return starting(func(_ context.Context, pc *ccproxy.PluginContext) error {
				detector = pc.CLI
				return nil
			})
		})})
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cli, err := detector.Detect(t.Context(), "acme")
	if took := time.Since(began); err != nil || cli.Version != "1.2.3 (Acme Code)" || took > 20*time.Second {
		t.Errorf("Detect = %+v, %v after %v", cli, err, took)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// starting is a plugin that does something when it starts.
type starting func(context.Context, *ccproxy.PluginContext) error

func (f starting) Initialize(ctx context.Context, pc *ccproxy.PluginContext) error { return f(ctx, pc) }
func (starting) Shutdown(context.Context) error                                    { return nil }
