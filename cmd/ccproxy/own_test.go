package main

import (
	"context"
	"os"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/cmd/ccproxy/command"
)

// ownMain is the main function of a program with a plugin of its own.
func ownMain(ctx context.Context, mine ccproxy.Factory) {
	os.Exit(command.Run(ctx, command.Options{Factories: append(bundled.Factories(), mine)}, os.Args[1:]))
}

// TestOwnMain only keeps the page's block compiling: package command's example runs such a program.
func TestOwnMain(t *testing.T) {
	t.Parallel()
	_ = ownMain
}
