// Command server serves every bundled plugin on an address of its own:
//
//	server [-config FILE] [-host HOST] [-port N] [-allow-remote]
//
// It listens on 127.0.0.1:8000 unless told otherwise, and beyond the loopback interface only with -allow-remote, since
// it asks its clients for no key. On SIGINT and SIGTERM it lets running requests finish for up to ten seconds; a
// second signal ends it at once.
//
// The configuration file is TOML: enabled_plugins, disabled_plugins and enable_plugins, a table [plugins.NAME] for each
// plugin, host and port in [server], level in [logging]. The variable ANTHROPIC_API_KEY stands in for api_key in
// [plugins.claude_api].
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does what it does to any program
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "server:", err)
	os.Exit(1)
}
