package ccproxy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// What a plugin does after it was given up must not reach the proxy that goes on without it.
func TestAbandonedPluginRegistersNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		release := make(chan struct{})
		var late error
		a := &actor{init: func(_ context.Context, pc *ccproxy.PluginContext) error {
			<-release
			late = pc.Provide("svc", 1)
			_, err := pc.Hooks.Register(silentHook("late", &j), hooks.Options{})
			j.add(fmt.Sprint("hook ", err))
			_, err = pc.Formats.Register(adapters.Registration{Pair: foreignPair(), Adapter: adapters.Funcs{}})
			j.add(fmt.Sprint("format ", err))
			_, err = pc.OAuth.Register(idleOAuth{name: "late"})
			j.add(fmt.Sprint("oauth ", err))
			if pc.Context().Err() == nil {
				t.Error("the context of an abandoned plugin has not ended")
			}
			return nil
		}, stop: func(context.Context) error { j.add("stop"); return nil }}
		other := &actor{}
		p := built(t, ccproxy.Settings{}, []ccproxy.Factory{
			playedBy(ccproxy.Manifest{Name: "late", Provides: []string{"svc"}}, a), playedBy(ccproxy.Manifest{Name: "other"}, other),
		})
		begun := time.Now()
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("Start took %v, want the limit of 30s and a little", took)
		}
		close(release)
		synctest.Wait()
		if !errors.Is(late, ccproxy.ErrState) {
			t.Errorf("late Provide = %v, want ErrState", late)
		}
		if _, err := ccproxy.ServiceOf[int](other.pc, "svc"); !errors.Is(err, ccproxy.ErrUnknownService) {
			t.Errorf("service = %v", err)
		}
		pairs, infos := other.pc.Formats.Pairs(), other.pc.OAuth.Infos()
		if slices.Contains(pairs, foreignPair()) || len(infos) != 0 {
			t.Errorf("left: %v %v", pairs, infos)
		}
		visit(p, http.MethodGet, "/", "")
		synctest.Wait()
		if n := j.count("late request.started"); n != 0 {
			t.Errorf("late hook was told of %d requests", n)
		}
		if lines := j.all(); lines[len(lines)-1] != "stop" || j.count("stop") != 1 {
			t.Errorf("calls = %v, want one stop at the end", lines)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if n := j.count("stop"); n != 1 {
			t.Errorf("Shutdown of the plugin was called %d times", n)
		}
	})
}

// A New that was given up returns late: those of the specs after it must not run any more.
func TestAbandonedNewIsTheLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		release := make(chan struct{})
		first, second := providerSpec("first"), providerSpec("second")
		first.New = newOf[ccproxy.Provider](idleProvider{}, func(context.Context) error { <-release; return nil })
		second.New = newOf[ccproxy.Provider](idleProvider{}, func(context.Context) error { j.add("second"); return nil })
		p := running(t, ccproxy.Settings{}, []ccproxy.Factory{plain(ccproxy.Manifest{
			Name: "llm", Kind: ccproxy.KindProvider, Providers: []ccproxy.ProviderSpec{first, second},
		})})
		close(release)
		synctest.Wait()
		if lines := j.all(); len(lines) != 0 {
			t.Errorf("calls after the plugin was given up: %v", lines)
		}
		if d := detailsOf(t, p, "llm"); d["has_adapter"] != false {
			t.Errorf("has_adapter = %v", d["has_adapter"])
		}
	})
}

func TestGoroutinesOfPluginsAreJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		a := &actor{
			init: func(_ context.Context, pc *ccproxy.PluginContext) error {
				pc.Go("worker", func(ctx context.Context) {
					<-ctx.Done()
					time.Sleep(time.Second)
					j.add("worker ended")
				})
				return nil
			},
			stop: func(context.Context) error { j.add("stop"); return nil },
		}
		p := built(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "busy"}, a)})
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown = %v", err)
		}
		if diff := cmp.Diff([]string{"stop", "worker ended"}, j.all()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestDeafGoroutineOfPlugin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a := &actor{init: func(_ context.Context, pc *ccproxy.PluginContext) error {
			pc.Go("deaf", func(context.Context) { <-release })
			return nil
		}}
		p := built(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "busy"}, a)})
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := p.Shutdown(t.Context()); !errors.Is(err, ccproxy.ErrAbandoned) {
			t.Errorf("Shutdown = %v, want ErrAbandoned", err)
		}
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("Shutdown took %v, want the limit of 5s", took)
		}
		close(release)
	})
}

func TestGoroutineOfPluginFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		fn   func(context.Context)
		want string
	}{
		{"panic", func(context.Context) { panic("canary") }, "worker: panic: value of type string"},
		{"panic nil", func(context.Context) { panicWith(nil) }, "worker: panic: value of type *runtime.PanicNilError"},
		{"goexit", func(context.Context) { runtime.Goexit() }, "worker: goroutine exited"},
		{"nil function", nil, "worker: panic: runtime error: invalid memory address or nil pointer dereference"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &actor{init: func(_ context.Context, pc *ccproxy.PluginContext) error {
					pc.Go("worker", tt.fn)
					return nil
				}}
				p := running(t, ccproxy.Settings{}, []ccproxy.Factory{playedBy(ccproxy.Manifest{Name: "busy"}, a)})
				synctest.Wait()
				d := detailsOf(t, p, "busy")
				if diff := cmp.Diff([]any{tt.want}, d["failed_goroutines"]); diff != "" {
					t.Errorf("failed_goroutines (-want +got):\n%s", diff)
				}
				if strings.Contains(fmt.Sprint(d), "canary") {
					t.Errorf("details show the value of a panic: %v", d)
				}
			})
		})
	}
}
