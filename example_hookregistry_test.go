package ccproxy_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/hooks"
)

// door is a plugin that tells others what happens to it.
type door struct{ hooks ccproxy.HookRegistry }

func (d *door) Initialize(_ context.Context, pc *ccproxy.PluginContext) error {
	d.hooks = pc.Hooks
	return nil
}

func (d *door) Shutdown(context.Context) error { return nil }

// Ring is what a route of the plugin would call.
func (d *door) Ring(who string) {
	if d.hooks.Enabled(hooks.EventCustom) { // else nobody listens, and there is nothing to build
		d.hooks.Emit(hooks.Context{Payload: &hooks.Custom{Name: "door.rang", Data: who}})
	}
}

// bell is a plugin that listens, from when it is told to until it is told not to.
type bell struct {
	rang atomic.Int64
	stop func()
}

func (b *bell) Initialize(_ context.Context, pc *ccproxy.PluginContext) (err error) {
	b.stop, err = pc.Hooks.Register(hooks.On("bell", b.ring), hooks.Options{})
	return err
}

func (b *bell) Shutdown(context.Context) error { return nil }

func (b *bell) ring(_ context.Context, _ *hooks.Context, c *hooks.Custom) error {
	if c.Name == "door.rang" {
		b.rang.Add(1)
	}
	return nil
}

// Plugins that know nothing of each other meet by events.
func ExampleHookRegistry() {
	front, back := new(door), new(bell)
	var reg ccproxy.Registry
	_ = reg.Register(
		ccproxy.NewFactory(ccproxy.Manifest{Name: "door"}, func() ccproxy.Plugin { return front }),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "bell"}, func() ccproxy.Plugin { return back }),
	)
	proxy, err := reg.Build(ccproxy.Settings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := proxy.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	front.Ring("the postman")
	front.Ring("a friend")
	_ = proxy.Shutdown(context.Background()) // which waits until hooks have been told everything
	fmt.Println("rang", back.rang.Load(), "times")
	// Output: rang 2 times
}
