// Command ccproxy serves the proxy, logs in to providers, and shows and checks its configuration. What it can do is in
// docs/command.md of the project, and behind --help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/cli/browser"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/cmd/ccproxy/command"
	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/balancer/redis"
	"github.com/ccproxy-go/ccproxy/system/metrics"
	"github.com/ccproxy-go/ccproxy/system/otel"
	"github.com/ccproxy-go/ccproxy/system/permissions"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		signal.Stop(stop) // from here on, a second signal does what it does to any program
		cancel()
	}()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	browser.Stdout = os.Stderr // what a browser says is no result of ours
	os.Exit(command.Run(ctx, command.Options{Factories: factories(), Hangup: hangup}, os.Args[1:]))
}

// factories are all plugins: those of the library, and those with a module of their own.
func factories() []ccproxy.Factory {
	return append(bundled.Factories(),
		analytics.Factory(), metrics.Factory(), otel.Factory(), permissions.Factory(), redis.Factory())
}
