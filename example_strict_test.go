package ccproxy_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ccproxy-go/ccproxy"
)

// archive is a plugin that cannot start here.
type archive struct{}

func (archive) Initialize(context.Context, *ccproxy.PluginContext) error {
	return errors.New("no room on the disk")
}

func (archive) Shutdown(context.Context) error { return nil }

// A service that must be whole does not start without one of its plugins. Others start, and tell what is left out.
func ExampleWithStrictStart() {
	var reg ccproxy.Registry
	_ = reg.Register(
		ccproxy.NewFactory(ccproxy.Manifest{Name: "archive"}, func() ccproxy.Plugin { return archive{} }),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "search", Dependencies: []string{"archive"}}, nil),
	)
	ctx := context.Background()
	for _, options := range [][]ccproxy.Option{nil, {ccproxy.WithStrictStart()}} {
		proxy, err := reg.Build(ccproxy.Settings{}, options...)
		if err != nil {
			fmt.Println(err)
			return
		}
		err = proxy.Start(ctx)
		if failed, ok := errors.AsType[*ccproxy.PluginError](err); ok {
			fmt.Println("not started:", failed.Plugin, "cannot", failed.Op+":", failed.Err)
			continue
		}
		fmt.Println("started:", err)
		for _, s := range proxy.Statuses() {
			fmt.Println(" ", describe(s))
		}
		_ = proxy.Shutdown(ctx)
	}
	// Output:
	// started: <nil>
	//   archive is failed: plugin archive: initialize: no room on the disk
	//   search is skipped: missing dependency: plugin "archive" did not start
	// not started: archive cannot initialize: no room on the disk
}

// describe is how a plugin is doing, in a line for operators.
func describe(s ccproxy.PluginStatus) string {
	if s.Reason == nil {
		return s.Name + " is " + s.State
	}
	return fmt.Sprintf("%s is %s: %v", s.Name, s.State, s.Reason)
}
