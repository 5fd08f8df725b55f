// The torture command runs the proxy under what no test can hold for long: clients that take nothing or send next to
// nothing, thousands of streams, cancels at any moment, stops in the middle of it all. It is a module of its own, for
// tests alone.
//
//	go run ./test/torture                       every row
//	go run ./test/torture -row S9,S11           some of them
//	go run ./test/torture -scale short          all that in a minute
//
// Each row prints a line: its name, what is wanted, what was measured, and whether it passes. The exit status is 1 if
// one does not. The proxy, and where it matters the upstream, run as processes of their own, so that each one's
// memory, CPU time, goroutines and files can be told apart. Everything is on the loopback interface, ends by itself,
// and leaves nothing behind.
//
// What the machine does meanwhile hits everything that is measured, so figures of time and memory are told beside
// those of a bare httputil.ReverseProxy, or of the same proxy before. The rows of bad input and of headers are tests
// of the root package, which run here at a larger scale and need the go command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	if spec := os.Getenv(specVariable); spec != "" {
		exit(serveChild(context.Background(), spec, os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	exit(err)
}

func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "torture:", err)
	os.Exit(1)
}

// run runs the chosen rows one after the other and prints their lines.
func run(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("torture", flag.ContinueOnError)
	fs.SetOutput(os.Stderr)
	names := fs.String("row", "", "comma-separated names of the rows to run: "+strings.Join(rowNames(), ", "))
	scaleName := fs.String("scale", "full", "full, or short for a smoke test")
	if err := fs.Parse(args); err != nil {
		return err
	}
	scale, ok := scales()[*scaleName]
	if !ok {
		return fmt.Errorf("-scale: there is no %q, only full and short", *scaleName)
	}
	chosen, err := choose(*names)
	if err != nil {
		return err
	}
	var failed []string
	for _, r := range chosen {
		if !r.print(ctx, scale, out) {
			failed = append(failed, r.name)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d rows failed: %s", len(failed), len(chosen), strings.Join(failed, ", "))
	}
	return nil
}

// print runs a row and prints its line, and below it what is wrong.
func (r row) print(ctx context.Context, s scale, out io.Writer) (passed bool) {
	ctx, cancel := context.WithTimeout(ctx, rowTimeout)
	defer cancel()
	begun := time.Now()
	f := r.measured(ctx, s)
	verdict := "pass"
	if len(f.wrong) > 0 {
		verdict = "FAIL"
	}
	fmt.Fprintf(out, "%-4s %s | target: %s | measured: %s | %.1f s | %s\n", r.name, r.title, r.target(s),
		strings.Join(f.figures, ", "), time.Since(begun).Seconds(), verdict)
	const most = 20
	for i, line := range f.wrong {
		if i == most {
			fmt.Fprintf(out, "     and %d more\n", len(f.wrong)-most)
			break
		}
		fmt.Fprintln(out, "     "+line)
	}
	return len(f.wrong) == 0
}

// measured runs a row. What keeps it from being measured is wrong, too.
func (r row) measured(ctx context.Context, s scale) *finding {
	f := &finding{lenient: s.lenient}
	if err := r.run(ctx, s, f); err != nil {
		f.failf("%v", err)
	}
	return f
}

// choose returns the named rows, in their own order; all of them for "".
func choose(names string) ([]row, error) {
	all := rows()
	if names == "" {
		return all, nil
	}
	wanted := strings.Split(strings.ToUpper(names), ",")
	for _, name := range wanted {
		if !slices.Contains(rowNames(), name) {
			return nil, fmt.Errorf("-row: there is no %q, only %s", name, strings.Join(rowNames(), ", "))
		}
	}
	return slices.DeleteFunc(all, func(r row) bool { return !slices.Contains(wanted, r.name) }), nil
}

func rowNames() []string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
	}
	return names
}
