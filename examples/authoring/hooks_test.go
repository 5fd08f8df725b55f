package authoring_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// tally counts tokens.
type tally struct{ tokens atomic.Int64 }

func (t *tally) completed(_ context.Context, _ *hooks.Context, e *hooks.RequestCompleted) error {
	if e.Usage != nil {
		t.tokens.Add(e.Usage.OutputTokens)
	}
	return nil
}

func tallyFactory(t *tally) ccproxy.Factory {
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "tally",
		Hooks: []ccproxy.HookSpec{{
			New: func(*ccproxy.PluginContext) (hooks.Hook, error) { return hooks.On("tally", t.completed), nil },
		}},
	}, nil)
}

// An observer is told of what has happened, off the path of the request.
func Example_observer() {
	t := new(tally)
	proxy, stop := start(ccproxy.Settings{}, tallyFactory(t))
	ask(proxy, "/echo/v1/messages", hello)
	stop() // observers have been told of everything when a proxy has stopped
	fmt.Println(t.tokens.Load() > 0)
	// Output: true
}

// politeFactory returns a plugin that changes requests.
func politeFactory() ccproxy.Factory {
	polite := func(_ context.Context, req *hooks.PreparedRequest) error {
		body, err := req.Body()
		if err != nil {
			return err
		}
		if object, ok := body.(map[string]any); ok {
			object["system"] = "Be polite."
			req.SetBody(object)
		}
		return nil
	}
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "polite",
		Hooks: []ccproxy.HookSpec{{
			FailClosed: true, // a request that cannot be changed is refused
			New:        func(*ccproxy.PluginContext) (hooks.Hook, error) { return hooks.Mutate("polite", polite), nil },
		}},
	}, nil)
}

// A mutator is asked before each request to a provider, and the request waits for it.
func Example_mutator() {
	seen := make(chan string, 1)
	spy := ccproxy.NewFactory(ccproxy.Manifest{
		Name: "spy",
		Hooks: []ccproxy.HookSpec{{Priority: 900, New: func(*ccproxy.PluginContext) (hooks.Hook, error) {
			return hooks.Mutate("spy", func(_ context.Context, req *hooks.PreparedRequest) error {
				body, _, err := req.Result()
				seen <- string(body)
				return err
			}), nil
		}}},
	}, nil)
	proxy, stop := start(ccproxy.Settings{}, politeFactory(), spy)
	defer stop()
	ask(proxy, "/echo/v1/messages", hello)
	fmt.Println(strings.Contains(<-seen, `"system":"Be polite."`))
	// Output: true
}
