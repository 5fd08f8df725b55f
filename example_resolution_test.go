package ccproxy_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ccproxy-go/ccproxy"
)

// missing are the plugins that do not run although nobody has switched them off.
func missing(res ccproxy.Resolution) []ccproxy.Skipped {
	return slices.DeleteFunc(res.Skipped, func(s ccproxy.Skipped) bool {
		return errors.Is(s.Reason, ccproxy.ErrDisabled)
	})
}

// What settings lead to can be checked where they are written, such as in a pipeline, and before anything runs.
func ExampleRegistry_ResolveDependencies() {
	var reg ccproxy.Registry
	_ = reg.Register(
		ccproxy.NewFactory(ccproxy.Manifest{Name: "billing", Requires: []string{"prices"}}, nil),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "log"}, nil),
		ccproxy.NewFactory(ccproxy.Manifest{Name: "prices", Provides: []string{"prices"}}, nil),
	)
	for _, off := range [][]string{{"log"}, {"prices"}} {
		res, err := reg.ResolveDependencies(ccproxy.Settings{DisabledPlugins: off})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("without", off, "run", res.Order, "with services of", res.Services)
		for _, s := range missing(res) {
			fmt.Println("missing:", s.Plugin, s.Reason)
		}
	}
	// Output:
	// without [log] run [prices billing] with services of map[prices:prices]
	// without [prices] run [log] with services of map[]
	// missing: billing missing dependency: service "prices"
}
