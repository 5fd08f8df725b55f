package ccproxy_test

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/ccproxy-go/ccproxy"
)

// image is what a container image has installed, as its build has found out.
type image map[string]ccproxy.CLI

// Detect makes the image a ccproxy.CLIDetector.
func (i image) Detect(_ context.Context, name string) (ccproxy.CLI, error) {
	if cli, ok := i[name]; ok {
		return cli, nil
	}
	return ccproxy.CLI{}, fmt.Errorf("detect %s: %w", name, exec.ErrNotFound)
}

// agent is a plugin that uses a program if it is there.
type agent struct{ program ccproxy.CLI }

func (a *agent) Initialize(ctx context.Context, pc *ccproxy.PluginContext) (err error) {
	a.program, err = a.find(ctx, pc.CLI)
	return err
}

// find takes the detector alone, so that it can be tested without a proxy.
func (a *agent) find(ctx context.Context, installed ccproxy.CLIDetector) (ccproxy.CLI, error) {
	cli, err := installed.Detect(ctx, "agent")
	if err != nil {
		return cli, fmt.Errorf("%w: %w", ccproxy.ErrSkip, err)
	}
	return cli, nil
}

func (a *agent) Shutdown(context.Context) error { return nil }

// Where programs may not be run, not even for their version, the application says what is installed.
func ExampleWithCLIDetector() {
	for _, installed := range []image{nil, {"agent": {Path: "/usr/bin/agent", Version: "2.1.0"}}} {
		a := new(agent)
		var reg ccproxy.Registry
		_ = reg.Register(ccproxy.NewFactory(ccproxy.Manifest{Name: "agent"}, func() ccproxy.Plugin { return a }))
		proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithCLIDetector(installed))
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := proxy.Start(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		if status := proxy.Statuses()[0]; status.Reason != nil {
			fmt.Println(status.State + ": agent is not installed")
		} else {
			fmt.Println(status.State+":", a.program.Path, a.program.Version)
		}
		_ = proxy.Shutdown(context.Background())
	}
	// Output:
	// skipped: agent is not installed
	// active: /usr/bin/agent 2.1.0
}
