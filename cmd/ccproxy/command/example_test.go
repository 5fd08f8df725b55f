package command_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/cmd/ccproxy/command"
)

// A program of one's own has all commands, with plugins of its own beside those that ship. Its main is
//
//	os.Exit(command.Run(ctx, command.Options{Factories: factories}, os.Args[1:]))
func ExampleRun() {
	mine := ccproxy.NewFactory(ccproxy.Manifest{
		Name: "greeter", Version: "1.0.0", Description: "Greets", CLISafe: true,
		Commands: []ccproxy.CommandSpec{{
			Name: "greet", Description: "Greet somebody",
			New: func(*ccproxy.PluginContext) (func(context.Context, ccproxy.Invocation) error, error) {
				return func(_ context.Context, inv ccproxy.Invocation) error {
					_, err := fmt.Fprintln(inv.Stdout, "Hello", inv.Args[0])
					return err
				}, nil
			},
		}},
	}, nil)
	exit := command.Run(context.Background(), command.Options{
		Name: "llm", Factories: append(bundled.Factories(), mine),
		Stdout:  os.Stdout,
		Environ: []string{}, Dir: os.TempDir(),
	}, []string{"greet", "Ann"})
	fmt.Println("exit code", exit)
	// Output:
	// Hello Ann
	// exit code 0
}
