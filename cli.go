package ccproxy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// CLI is a command-line program that is installed.
type CLI struct {
	Path    string // absolute
	Version string // the first line of its --version, or "" if it has none
}

// CLIDetector finds installed command-line programs. Detect fails with an error that wraps exec.ErrNotFound when
// there is no such program. It may be called concurrently, and is never called by the proxy itself.
type CLIDetector interface {
	Detect(ctx context.Context, name string) (CLI, error)
}

const (
	cliFoundFor   = 10 * time.Minute
	cliMissingFor = 30 * time.Second
	cliVersionIn  = 5 * time.Second
	cliLinger     = 500 * time.Millisecond
	cliMaxVersion = 256
)

// firstBytes keeps the first bytes of what is written to it.
type firstBytes struct{ kept []byte }

// Write implements io.Writer.
func (f *firstBytes) Write(b []byte) (int, error) {
	f.kept = append(f.kept, b[:min(len(b), cliMaxVersion-len(f.kept))]...)
	return len(b), nil
}

// pathDetector looks in PATH when it is first asked, and remembers for some minutes.
type pathDetector struct {
	mu    sync.Mutex
	cache map[string]detected
}

type detected struct {
	cli   CLI
	err   error
	until time.Time
}

// Detect runs the program with --version, once in a while.
func (d *pathDetector) Detect(ctx context.Context, name string) (CLI, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if hit, ok := d.cache[name]; ok && time.Now().Before(hit.until) {
		return hit.cli, hit.err
	}
	cli, err := lookUp(ctx, name)
	if ctx.Err() != nil {
		return CLI{}, ctx.Err()
	}
	keep := cliFoundFor
	if err != nil {
		keep = cliMissingFor
	}
	if d.cache == nil {
		d.cache = make(map[string]detected)
	}
	d.cache[name] = detected{cli: cli, err: err, until: time.Now().Add(keep)}
	return cli, err
}

func lookUp(ctx context.Context, name string) (CLI, error) {
	path, err := exec.LookPath(name)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return CLI{}, fmt.Errorf("detect %s: %w", name, err)
	}
	if err != nil {
		return CLI{}, err // a program in the working directory is not an installed one
	}
	ctx, cancel := context.WithTimeout(ctx, cliVersionIn)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version") //nolint:gosec // found in PATH by a plugin's name for it
	var out firstBytes
	cmd.Stdout = &out
	cmd.WaitDelay = cliLinger // what it started may keep its output open after it has ended
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return CLI{Path: path}, nil // a program without --version is installed all the same
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out.kept)), "\n")
	return CLI{Path: path, Version: version}, nil
}
