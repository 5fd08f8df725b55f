package hooks_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// A hook that adds up tokens is told of the end of each stream, off the path of the request.
func ExampleOn() {
	var reg hooks.Registry
	count := hooks.On("tokens", func(_ context.Context, hc *hooks.Context, end *hooks.ProviderStreamEnd) error {
		fmt.Println(hc.Provider, end.Usage.OutputTokens)
		return nil
	})
	if _, err := reg.Register(count, hooks.Options{Plugin: "analytics"}); err != nil {
		fmt.Println(err)
	}

	if reg.Enabled(hooks.EventProviderStreamEnd) {
		reg.Emit(hooks.Context{
			Provider: "claude",
			Payload:  &hooks.ProviderStreamEnd{Usage: &hooks.Usage{OutputTokens: 42}},
		})
	}
	_ = reg.Close(context.Background())
	// Output: claude 42
}

// One function may observe several events.
func ExampleObserve() {
	var reg hooks.Registry
	log := hooks.Observe("log", func(_ context.Context, hc *hooks.Context) error {
		switch p := hc.Payload.(type) {
		case *hooks.RequestCompleted:
			fmt.Println(hc.Event, p.Path, p.Status)
		case *hooks.RequestFailed:
			fmt.Println(hc.Event, p.Path, p.Err)
		}
		return nil
	}, hooks.EventRequestCompleted, hooks.EventRequestFailed)
	_, _ = reg.Register(log, hooks.Options{})

	request := hooks.Request{Path: "/v1/messages"}
	reg.Emit(hooks.Context{Payload: &hooks.RequestCompleted{Request: request, Status: 200}})
	reg.Emit(hooks.Context{Payload: &hooks.RequestFailed{Request: request, Err: "upstream gone"}})
	_ = reg.Close(context.Background())
	// Output:
	// request.completed /v1/messages 200
	// request.failed /v1/messages upstream gone
}

// A mutator changes a request before it is sent. What it changes in the parsed body counts once it is set.
func ExampleMutate() {
	var reg hooks.Registry
	limit := hooks.Mutate("limit", func(_ context.Context, req *hooks.PreparedRequest) error {
		body, err := req.Body()
		if err != nil {
			return err
		}
		object, ok := body.(map[string]any)
		if !ok {
			return errors.New("body is not an object")
		}
		object["max_tokens"] = 1024
		req.SetBody(object)
		req.Header.Set("X-Limited", "1")
		return nil
	})
	_, _ = reg.Register(limit, hooks.Options{Plugin: "max_tokens", FailClosed: true})

	req := hooks.NewPreparedRequest([]byte(`{"model":"m"}`))
	if err := reg.Prepare(context.Background(), req); err != nil {
		fmt.Println(err)
	}
	body, changed, _ := req.Result()
	fmt.Println(string(body), changed, req.Header)
	// Output: {"max_tokens":1024,"model":"m"} true map[X-Limited:[1]]
}

// A hook that fails harms nobody, and its state can be seen.
func ExampleRegistry() {
	var reg hooks.Registry
	unregister, err := reg.Register(hooks.Observe("bad", func(context.Context, *hooks.Context) error {
		panic("a secret")
	}, hooks.EventAppReady), hooks.Options{Plugin: "p"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer unregister()

	reg.Emit(hooks.Context{Payload: &hooks.AppReady{Version: "1.0"}})
	_ = reg.Flush(context.Background())
	for _, s := range reg.Stats() {
		fmt.Printf("%s/%s failed %d: %s\n", s.Plugin, s.Name, s.Failed, s.LastError)
	}
	_ = reg.Close(context.Background())
	// Output: p/bad failed 1: hook panicked (string)
}
