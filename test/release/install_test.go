package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/module"
)

// variable turns the test on that builds what is released.
const variable = "CCPROXY_TEST_RELEASE"

// TestInstall does what users of a release do, with the go command and without the checkout: they install the command,
// and get the library for a program of their own.
func TestInstall(t *testing.T) {
	t.Parallel()
	if os.Getenv(variable) == "" {
		t.Skipf("it builds everything once more; %s=1 has it run", variable)
	}
	version := fmt.Sprintf("v0.0.0-check.%d", time.Now().UnixNano())
	r, err := load(t.Context(), ".", version)
	if err != nil {
		t.Fatal(err)
	}
	proxy := filepath.Join(t.TempDir(), "proxy")
	if err := r.writeProxy(t.Context(), proxy, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	u := newUser(t, proxy)
	t.Cleanup(func() { u.forget(t, r) })

	root := r.modules[0].path
	u.run(t, "go", "install", root+"/cmd/ccproxy@"+version)
	program := filepath.Join(u.dir, "bin", "ccproxy")
	if out := u.run(t, program, "--version"); !strings.HasPrefix(out, "ccproxy ") {
		t.Errorf("--version says %q", out)
	}
	if out := u.run(t, program, "plugins", "list"); !strings.Contains(out, "analytics") || !strings.Contains(out, "echo") {
		t.Errorf("plugins list says %q", out)
	}
	if out := u.run(t, "go", "version", "-m", program); !strings.Contains(out, version) || strings.Contains(out, "=>") {
		t.Errorf("the command is built from\n%s", out)
	}

	source, err := os.ReadFile(filepath.Join("testdata", "embedder.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(u.dir, "main.go"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	u.run(t, "go", "mod", "init", "example.com/embedder")
	u.run(t, "go", "get", root+"@"+version)
	u.run(t, "go", "mod", "tidy")
	if out := u.run(t, "go", "run", "."); !strings.Contains(out, "hello from a guest") {
		t.Errorf("the embedder's program says %q", out)
	}
}

// user is somebody with an empty directory and the go command.
type user struct {
	dir   string
	cache string // of modules
	env   []string
}

func newUser(t *testing.T, proxy string) *user {
	t.Helper()
	setting := func(name string) string {
		out, err := output(t.Context(), ".", "go", "env", name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	u := &user{dir: t.TempDir(), cache: setting("GOMODCACHE")}
	proxies := []string{
		fileURL(proxy), fileURL(filepath.Join(u.cache, "cache", "download")), // what was fetched before
		strings.TrimSuffix(setting("GOPROXY"), ",direct"),
	}
	u.env = append(
		os.Environ(), "GOWORK=off", "GOFLAGS=-modcacherw", "GOBIN="+filepath.Join(u.dir, "bin"), "HOME="+u.dir,
		"GOCACHE="+setting("GOCACHE"), "GOMODCACHE="+u.cache, "GOPATH="+setting("GOPATH"), "GOENV=off", "GOTOOLCHAIN=local",
		"GOPROXY="+strings.Join(proxies, ","), "GONOPROXY=none", "GOPRIVATE=",
		"GOSUMDB=off", // nobody else knows this version, and all others were checked against a go.sum file
	)
	return u
}

func fileURL(dir string) string { return "file://" + filepath.ToSlash(dir) }

func (u *user) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = u.dir, u.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// forget takes the versions of this test, which nobody else can use, out of the cache of modules.
func (u *user) forget(t *testing.T, r *release) {
	t.Helper()
	for _, m := range r.modules {
		escaped, err := module.EscapePath(m.path)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.FromSlash(escaped)
		names, err := fs.Glob(os.DirFS(u.cache), filepath.ToSlash(filepath.Join("cache", "download", path, "@v", r.version+".*")))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(names, path+"@"+r.version) {
			if err := os.RemoveAll(filepath.Join(u.cache, name)); err != nil {
				t.Error(err)
			}
		}
	}
}
