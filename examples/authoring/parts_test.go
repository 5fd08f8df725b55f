package authoring_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/middleware"
)

// newSigner returns middleware that adds a header to every answer.
func newSigner(pc *ccproxy.PluginContext) (middleware.Func, error) {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Signed-By", pc.Name())
			next.ServeHTTP(w, r)
		})
	}, nil
}

func signerFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name:       "signer",
		Middleware: []ccproxy.MiddlewareSpec{{Layer: middleware.LayerTransformation, New: newSigner}},
	}, nil)
}

// Middleware is around every route of the proxy.
func Example_middleware() {
	proxy, stop := start(ccproxy.Settings{}, signerFactory())
	defer stop()
	fmt.Println(ask(proxy, "/echo/v1/messages", hello).Header().Get("X-Signed-By"))
	// Output: signer
}

// gauge is a plugin with a task and a health of its own.
type gauge struct {
	runs atomic.Int64
	ran  chan struct{}
}

var ( // what the compiler would not look for
	_ ccproxy.Validator     = (*gauge)(nil)
	_ ccproxy.HealthChecker = (*gauge)(nil)
)

func gaugeFactory(g *gauge) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "gauge",
		Tasks: []ccproxy.TaskSpec{{
			Name: "measure", Interval: time.Minute, Immediate: true, Timeout: 10 * time.Second,
			New: func(*ccproxy.PluginContext) (func(context.Context) error, error) { return g.measure, nil },
		}},
	}, func() ccproxy.Plugin { return g })
}

func (*gauge) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	pc.Go("watch", func(ctx context.Context) { <-ctx.Done() }) // Shutdown waits for it
	return nil
}

func (*gauge) Shutdown(context.Context) error { return nil }

func (g *gauge) measure(context.Context) error {
	if g.runs.Add(1) == 1 {
		close(g.ran)
	}
	return nil
}

// Validate implements [ccproxy.Validator].
func (g *gauge) Validate(context.Context) error {
	if g.ran == nil {
		return errors.New("nothing to tell of a run")
	}
	return nil
}

// HealthCheck implements [ccproxy.HealthChecker].
func (g *gauge) HealthCheck(context.Context) ccproxy.Health {
	if g.runs.Load() == 0 {
		return ccproxy.Health{Status: ccproxy.HealthWarn, Output: "not measured yet"}
	}
	return ccproxy.Health{Details: map[string]any{"runs": g.runs.Load()}}
}

// A task runs from the start of the proxy to its end.
func Example_task() {
	g := &gauge{ran: make(chan struct{})}
	proxy, stop := start(ccproxy.Settings{}, gaugeFactory(g))
	defer stop()
	<-g.ran
	for _, st := range proxy.Statuses() {
		if st.Name == "gauge" {
			fmt.Println(st.State, st.Kind, g.HealthCheck(context.Background()).Details)
		}
	}
	// Output: active system map[runs:1]
}

func newWave(*ccproxy.PluginContext) (func(context.Context, ccproxy.Invocation) error, error) {
	return func(_ context.Context, inv ccproxy.Invocation) error {
		_, err := fmt.Fprintln(inv.Stdout, "waves", inv.Flags["times"], "times at", inv.Args)
		return err
	}, nil
}

func waverFactory() ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "waver", CLISafe: true,
		Commands: []ccproxy.CommandSpec{{
			Name: "wave", Description: "Wave at somebody", New: newWave,
			Options: []ccproxy.CommandOption{{Name: "times", Description: "how often", Default: "1"}},
		}},
	}, nil)
}

// A command of a plugin is one of the program's, ccproxy wave --times 3 Bob.
func Example_command() {
	proxy, stop := start(ccproxy.Settings{}, waverFactory())
	defer stop()
	err := proxy.RunCommand(context.Background(), "waver", "wave", ccproxy.Invocation{
		Args: []string{"Bob"}, Flags: map[string]string{"times": "3"}, Stdout: os.Stdout,
	})
	fmt.Println(err)
	// Output:
	// waves 3 times at [Bob]
	// <nil>
}

func newTicker(pc *ccproxy.PluginContext) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		events, err := pc.Streams.Open(w, r)
		if err != nil {
			http.Error(w, "no stream here", http.StatusInternalServerError)
			return
		}
		for _, tick := range []string{"one", "two"} {
			if events.Send(adapters.Event{Type: "tick", Data: []byte(tick)}) != nil {
				return // the client has left
			}
		}
	}), nil
}

// A route streams with the proxy's own writer, which minds slow clients and deadlines.
func Example_stream() {
	proxy, stop := start(ccproxy.Settings{}, ccproxy.NewFactory(ccproxy.Manifest{
		Name: "ticker",
		Routes: []ccproxy.RouteSpec{{
			Prefix: "/ticks", Auth: ccproxy.AuthPublic, Endpoints: []ccproxy.Endpoint{{}}, New: newTicker,
		}},
	}, nil))
	defer stop()
	get(proxy, "/ticks")
	// Output:
	// 200 event: tick
	// data: one
	//
	// event: tick
	// data: two
}
