package config_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

type greeting struct {
	Name string `toml:"name" validate:"required"`
}

// greeter answers with its name at /greeter/name, and at /greeter/wait once release is closed.
func greeter(release chan struct{}) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "greeter", Config: ccproxy.ConfigFor[greeting](func() *greeting { return &greeting{Name: "default"} }),
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/greeter", Endpoints: []ccproxy.Endpoint{{Pattern: "/name"}, {Pattern: "/wait"}},
			New: func(pc *ccproxy.PluginContext) (http.Handler, error) {
				cfg, err := ccproxy.ConfigOf[greeting](pc)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/wait") {
						select {
						case <-release:
						case <-r.Context().Done():
							return
						}
					}
					_, _ = w.Write([]byte(cfg.Name))
				}), err
			},
		}},
	}, nil)
}

// rig is a reloader at work, inside of a synctest bubble.
type rig struct {
	t        *testing.T
	path     string
	handle   ccproxy.Handle
	registry ccproxy.Registry
	reloader config.Reloader
	release  chan struct{}
	log      bytes.Buffer
	cancel   context.CancelFunc
	done     chan error
}

func newRig(t *testing.T, content string) *rig {
	t.Helper()
	b := &rig{t: t, path: write(t, content), release: make(chan struct{}), done: make(chan error, 1)}
	if err := b.registry.Register(greeter(b.release)); err != nil {
		t.Fatal(err)
	}
	b.reloader = config.Reloader{
		Registry: &b.registry, Options: config.Options{Path: b.path, Environ: noEnviron()}, Handle: &b.handle,
		Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
	}
	return b
}

func (b *rig) run() {
	ctx, cancel := context.WithCancel(b.t.Context())
	b.cancel = cancel
	go func() { b.done <- b.reloader.Run(ctx) }()
	synctest.Wait()
}

// stop ends the reloader and then the proxy.
func (b *rig) stop() {
	b.t.Helper()
	b.cancel()
	if err := <-b.done; err != nil {
		b.t.Errorf("Run = %v", err)
	}
	if err := b.handle.Swap(context.Background(), nil); err != nil {
		b.t.Errorf("stopping the proxy: %v", err)
	}
}

func (b *rig) ask(path string) string {
	w := httptest.NewRecorder()
	b.handle.ServeHTTP(w, httptest.NewRequestWithContext(b.t.Context(), http.MethodGet, path, http.NoBody))
	return w.Body.String()
}

// write changes the file and gives the reloader time to see it.
func (b *rig) write(content string) {
	b.t.Helper()
	overwrite(b.t, b.path, content)
	b.pass(10 * time.Second)
}

func (b *rig) pass(d time.Duration) {
	time.Sleep(d) // in a bubble
	synctest.Wait()
}

// logged returns how often the log has a text.
func (b *rig) logged(text string) int { return strings.Count(b.log.String(), text) }

func (b *rig) serves(want string) {
	b.t.Helper()
	if got := b.ask("/greeter/name"); got != want {
		b.t.Errorf("served by %q, want %q; log:\n%s", got, want, &b.log)
	}
}

func named(name string) string { return "[plugins.greeter]\nname = \"" + name + "\"\n" }

func TestReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t, named("one"))
		var loaded []string
		b.reloader.OnLoad = func(f *config.File) {
			loaded = append(loaded, f.Settings.Plugins["greeter"]["name"].(string))
		}
		b.run()
		defer b.stop()
		b.serves("one")

		b.write(named("two"))
		b.serves("two")

		b.write("[plugins.greeter]\nnaem = \"three\"\n")
		b.serves("two")
		b.pass(time.Minute)
		if n := b.logged(`unknown key (did you mean \"name\"?)`); n != 1 {
			t.Errorf("the mistake is in the log %d times, want 1:\n%s", n, &b.log)
		}

		b.write("[plugins.greeter\n")
		b.serves("two")
		if n := b.logged("configuration not reloaded"); n != 2 {
			t.Errorf("%d mistakes in the log, want one for each change:\n%s", n, &b.log)
		}

		b.write(named("four"))
		b.serves("four")
		if got := strings.Join(loaded, " "); got != "one two four" {
			t.Errorf("OnLoad saw %s, want one two four", got)
		}
	})
}

// TestReloadKeepsStreams changes the file while a request runs: it ends where it began.
func TestReloadKeepsStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t, named("one"))
		b.run()
		answer := make(chan string, 1)
		go func() { answer <- b.ask("/greeter/wait") }()
		synctest.Wait()

		b.write(named("two"))
		b.serves("two")
		b.write(named("three"))
		b.serves("two") // the old proxy drains first
		close(b.release)
		if got := <-answer; got != "one" {
			t.Errorf("the running request was answered %q, want one", got)
		}
		b.pass(10 * time.Second)
		b.serves("three")
		b.stop()
	})
}

// TestReloadEndsWithItsContext holds that requests of the old proxy get the server's time when the application stops.
func TestReloadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t, named("one")+"[server]\nshutdown_timeout = 30\n")
		b.run()
		answer := make(chan string, 1)
		go func() { answer <- b.ask("/greeter/wait") }()
		synctest.Wait()
		b.write(named("two") + "[server]\nshutdown_timeout = 30\n")
		b.cancel()
		b.pass(29 * time.Second)
		select {
		case got := <-answer:
			t.Fatalf("the running request was cut off with %q", got)
		default:
		}
		b.pass(2 * time.Second)
		select {
		case <-answer:
		default:
			t.Error("the running request goes on after the server's time is over")
		}
		b.stop()
	})
}

// TestReloadOfPartOfAFile holds that a file that still grows is not taken, though what is there of it is right.
func TestReloadOfPartOfAFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t, named("one"))
		b.run()
		defer b.stop()
		b.pass(1950 * time.Millisecond)
		overwrite(t, b.path, "")
		b.pass(100 * time.Millisecond) // the reloader has looked
		overwrite(t, b.path, named("two"))
		b.pass(time.Second)
		b.serves("two")
		if n := b.logged("configuration loaded"); n != 2 {
			t.Errorf("loaded %d times, want 2:\n%s", n, &b.log)
		}
	})
}

func TestReloadWhenTheFileIsGone(t *testing.T) {
	t.Parallel()
	for _, searched := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newRig(t, named("one"))
			if searched {
				b.reloader.Options.Path = ""
				b.reloader.Options.Dir = strings.TrimSuffix(b.path, "ccproxy.toml")
			}
			b.run()
			defer b.stop()
			if err := os.Remove(b.path); err != nil {
				t.Fatal(err)
			}
			b.pass(time.Minute)
			b.serves("one")
			if n := b.logged("level=ERROR"); n != 1 {
				t.Errorf("%d errors in the log, want 1:\n%s", n, &b.log)
			}
			b.write(named("two"))
			b.serves("two")
		})
	}
}

func TestReloadFromTheCurrentFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t, named("one"))
		f, err := config.Load(&b.registry, b.reloader.Options)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := b.registry.Build(f.Settings)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.handle.Swap(t.Context(), proxy); err != nil {
			t.Fatal(err)
		}
		overwrite(t, b.path, named("two")) // before Run
		b.reloader.Current = f
		b.run()
		defer b.stop()
		if b.handle.Proxy() != proxy {
			t.Error("Run replaced the proxy that Current belongs to before anything could have changed")
		}
		b.pass(10 * time.Second)
		b.serves("two")
		const server = "[server]\nport = 9\nshutdown_timeout = 9\npublic_url = \"http://a.example\"\n"
		b.write(named("three") + server)
		b.write(named("four") + server)
		b.serves("four")
		if b.logged("with a restart\" keys=\"[server.port server.shutdown_timeout]\"") != 1 || b.logged("restart") != 1 {
			t.Errorf("the log does not tell that the port is another one:\n%s", &b.log)
		}
	})
}

func TestReloadAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t, "nonsense = 1\n")
		if err := b.reloader.Run(t.Context()); !errors.Is(err, ccproxy.ErrConfig) {
			t.Errorf("Run = %v, want ErrConfig: there is no proxy yet", err)
		}
		overwrite(t, b.path, named("one"))
		if err := b.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.serves("one")
		refuse := errors.New("not now")
		b.reloader.Build = func(*config.File) (*ccproxy.Proxy, error) { return nil, refuse }
		if err := b.reloader.Reload(t.Context()); !errors.Is(err, refuse) {
			t.Errorf("Reload = %v, want the error of Build", err)
		}
		b.serves("one")
		if err := b.handle.Swap(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

// TestReloadWhenStartFails holds that a proxy that does not start changes nothing.
func TestReloadWhenStartFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newRig(t, named("one"))
		broken := ccproxy.NewFactory(ccproxy.Manifest{Name: "broken", DefaultOff: true, Routes: []ccproxy.RouteSpec{{
			Prefix: "/broken", Endpoints: []ccproxy.Endpoint{{}},
			New: func(*ccproxy.PluginContext) (http.Handler, error) { return nil, errors.New("broken on purpose") },
		}}}, nil)
		if err := b.registry.Register(broken); err != nil {
			t.Fatal(err)
		}
		b.reloader.Build = func(f *config.File) (*ccproxy.Proxy, error) {
			return b.registry.Build(f.Settings, ccproxy.WithStrictStart())
		}
		b.run()
		defer b.stop()
		b.write(named("two") + "[plugins.broken]\nenabled = true\n")
		b.serves("one")
		if b.logged("configuration not reloaded") != 1 || b.logged("broken on purpose") == 0 {
			t.Errorf("the log does not say once why:\n%s", &b.log)
		}
		b.write(named("three"))
		b.serves("three")
	})
}
