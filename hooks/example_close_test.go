package hooks_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// A host that has no time left to stop learns what its hooks were not told any more.
func ExampleCloseError() {
	var reg hooks.Registry
	begun := make(chan struct{})
	slow := hooks.On("upload", func(ctx context.Context, _ *hooks.Context, _ *hooks.AppReady) error {
		close(begun)
		<-ctx.Done() // a hook that heeds its context holds nobody up
		return ctx.Err()
	})
	if _, err := reg.Register(slow, hooks.Options{Plugin: "archive"}); err != nil {
		fmt.Println(err)
		return
	}
	reg.Emit(hooks.Context{Payload: &hooks.AppReady{}})
	<-begun
	reg.Emit(hooks.Context{Payload: &hooks.AppReady{}}) // waits in the queue

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if failure, ok := errors.AsType[*hooks.CloseError](reg.Close(ctx)); ok {
		fmt.Println(failure.Lost, "lost, still running:", failure.Running, failure.Err)
	}
	// Output: 1 lost, still running: [] context canceled
}
