package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// scaleVariable is where tests of the root package find the scale that they run at.
const scaleVariable = "CCPROXY_TORTURE_SCALE"

func badInputs(ctx context.Context, s scale, f *finding) error {
	return suite(ctx, s, f, "TestBadInputClasses")
}

func headerLeaks(ctx context.Context, s scale, f *finding) error {
	return suite(ctx, s, f, "TestHeaderLeaks")
}

// suite runs a test of the root package at a scale of this program. What it measured is what it logs after "figures: ".
func suite(ctx context.Context, s scale, f *finding, name string) error {
	const module = "github.com/ccproxy-go/ccproxy"
	args := []string{"test", "-v", "-count=1", "-timeout=600s", "-run=^" + name + "$", module}
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // all of it is from here
	cmd.Env = append(os.Environ(), scaleVariable+"="+s.environment)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if _, figures, ok := strings.Cut(line, "figures: "); ok {
			f.figuref("%s", strings.TrimSpace(figures))
		}
		if err != nil && (strings.Contains(line, "_test.go:") || strings.Contains(line, "panic:")) {
			f.failf("%s", strings.TrimSpace(line))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
