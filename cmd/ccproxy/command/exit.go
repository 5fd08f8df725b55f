package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
)

// errUsage is the kind of everything that is wrong with arguments.
var errUsage = errors.New("wrong usage")

// usage is an error of the user's command line.
type usage struct {
	err  error
	path string // of the command
}

func usageError(cmd *cobra.Command, err error) error {
	return &usage{err: err, path: cmd.CommandPath()}
}

// Error tells what is wrong and where there is help.
func (u *usage) Error() string { return fmt.Sprintf("%v\nSee \"%s --help\".", u.err, u.path) }

// Unwrap gives errUsage beside the error itself.
func (u *usage) Unwrap() []error { return []error{errUsage, u.err} }

// errInterrupted means that the user ended a command that was not done.
var errInterrupted = errors.New("interrupted")

// report tells an error and gives the exit code.
func report(o Options, err error) int {
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(o.Stderr, o.Name+": interrupted")
		return ExitUsage
	case errors.Is(err, ccproxy.ErrConfig):
		fmt.Fprintln(o.Stderr, err) // a line for each mistake, each with its place
		return ExitUsage
	}
	fmt.Fprintf(o.Stderr, "%s: %v\n", o.Name, err)
	if errors.Is(err, errUsage) {
		return ExitUsage
	}
	return ExitFailure
}

// interruptible makes the end of the context the user's.
func interruptible(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}
