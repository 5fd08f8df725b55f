// The bench command measures what the proxy costs beside the least that a proxy in Go can cost: a bare, tuned
// httputil.ReverseProxy, in the same run and on the same load. It prints CPU time as a ratio of the two, since times
// of one machine say nothing on another.
//
//	go run ./bench                               all cases
//	go run ./bench -quick                        a smoke test
//	go run ./bench -case 80KB -cpuprofile p.out  profiles of both proxies
//
// An upstream that answers at once, the bare proxy and a proxy for each number of hooks run as processes of their
// own, so that each one's CPU time, allocations and memory can be told apart; this process sends the requests and
// checks every answer byte by byte. Rounds alternate between the bare proxy and the other, and a ratio is the median
// over pairs of neighboring rounds: what else the machine does meanwhile hits both of a pair.
//
// The exit status is 1 if an answer was wrong, or with -check if a ratio is above its goal.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
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
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// options are the command line.
type options struct {
	rounds     int
	scale      float64 // of the number of requests in a round
	cases      string
	hooks      []int
	check      bool
	cpuProfile string
	memProfile string
}

func parseOptions(args []string, out io.Writer) (options, error) {
	o := options{scale: 1}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.IntVar(&o.rounds, "rounds", 7, "pairs of rounds for each variant")
	fs.StringVar(&o.cases, "case", "", "comma-separated names of the cases to run: "+strings.Join(caseNames(), ", "))
	hooks := fs.String("hooks", "0,5,50", "comma-separated numbers of hooks, a variant for each")
	quick := fs.Bool("quick", false, "two rounds with a tenth of the requests")
	fs.BoolVar(&o.check, "check", false, "fail if a ratio is above its goal")
	fs.StringVar(&o.cpuProfile, "cpuprofile", "", "write CPU profiles of one case's first variant, "+
		"and of the bare proxy to the same name with .bare")
	fs.StringVar(&o.memProfile, "memprofile", "", "as -cpuprofile, of allocations")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if *quick {
		o.rounds, o.scale = 2, 0.1
	}
	for n := range strings.SplitSeq(*hooks, ",") {
		count, err := strconv.Atoi(strings.TrimSpace(n))
		if err != nil || count < 0 {
			return o, fmt.Errorf("-hooks: %q is not a number of hooks", n)
		}
		o.hooks = append(o.hooks, count)
	}
	if o.rounds < 1 {
		return o, errors.New("-rounds: must be at least 1")
	}
	return o, nil
}

// run measures the chosen cases and prints their table.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseOptions(args, os.Stderr)
	if err != nil {
		return err
	}
	chosen, err := choose(o.cases)
	if err != nil {
		return err
	}
	if len(chosen) > 1 && (o.cpuProfile != "" || o.memProfile != "") {
		return errors.New("a profile is of one case: choose it with -case")
	}
	var results []result
	for _, l := range chosen {
		r, err := measure(ctx, l.scaled(o.scale), o)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		results = append(results, r)
	}
	if err := printTable(out, results); err != nil {
		return err
	}
	return verdict(results, o.check)
}
