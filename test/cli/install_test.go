package cli_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// variable names the directory that the programs are installed in.
const variable = "CCPROXY_TEST_CLI"

var installed = sync.OnceValues(func() (string, error) {
	dir := os.Getenv(variable)
	if dir == "" {
		return "", nil
	}
	bin := filepath.Join(dir, "node_modules", ".bin")
	if _, err := os.Stat(filepath.Join(bin, "claude")); err == nil {
		return bin, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", dir,
		"@anthropic-ai/claude-code", "@openai/codex").CombinedOutput()
	if err != nil {
		return "", errors.Join(err, errors.New(string(out)))
	}
	setup := filepath.Join(dir, "node_modules", "@anthropic-ai", "claude-code", "install.cjs")
	if _, err := os.Stat(setup); err == nil { // npm asks before it runs this by itself
		if out, err := exec.CommandContext(ctx, "node", setup).CombinedOutput(); err != nil {
			return "", errors.Join(err, errors.New(string(out)))
		}
	}
	return bin, nil
})

// program returns the path of a program, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	bin, err := installed()
	if err != nil {
		t.Fatalf("install with npm: %v", err)
	}
	if bin != "" {
		return filepath.Join(bin, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("the program %s is not installed; %s=DIRECTORY installs it there with npm", name, variable)
	}
	return path
}
