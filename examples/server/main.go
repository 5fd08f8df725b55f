// Command server serves every bundled plugin on an address of its own:
//
//	server [-config FILE] [-host HOST] [-port N]
//
// It is configured as docs/configuration.md says, by a file that is looked for unless -config names it, and by the
// environment; -host and -port win over both. Without any of them it listens on 127.0.0.1:8000. Beyond this machine it
// listens only if a key is configured, and on this machine it goes by the machine's own names alone, unless
// security.hosts has others.
//
// A changed file is taken over while requests run, a wrong one is logged and changes nothing; SIGHUP has the file
// read at once. The tables [server], but for public_url, and [logging] take effect with a restart. On SIGINT and
// SIGTERM running requests get server.shutdown_timeout to end; a second signal ends the program at once.
//
// It exits with 0 when all requests ended in time, 1 when something failed, 2 when flags or configuration are wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
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
	os.Exit(run(ctx, process{args: os.Args[1:], stdout: os.Stdout, stderr: os.Stderr, hangup: hangup}))
}

// process is what the program has of its process, so that tests can give it another one.
type process struct {
	args           []string
	environ        []string // nil for that of the process
	dir            string   // where the search for the file begins; the working directory if empty
	stdout, stderr io.Writer
	hangup         <-chan os.Signal
}

// errUsage is for what the flag package has already told.
var errUsage = errors.New("wrong usage")

// run serves until ctx ends, tells what went wrong, and returns the exit code.
func run(ctx context.Context, p process) int {
	err := p.serve(ctx)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, ccproxy.ErrConfig):
		fmt.Fprintln(p.stderr, err) // a line for each mistake, each with its place
		return 2
	}
	fmt.Fprintln(p.stderr, "server:", err)
	return 1
}

func (p process) serve(ctx context.Context) error {
	options, err := p.options()
	if err != nil {
		return err
	}
	s := &server{process: p, options: options}
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.banner().write(p.stdout); err != nil {
		return errors.Join(err, s.listener.Close(), s.handle.Proxy().Shutdown(ctx))
	}
	return s.serve(ctx)
}

// options reads the flags. The file and the environment are left to package config.
func (p process) options() (config.Options, error) {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(p.stderr)
	path := flags.String("config", "", "read the TOML `FILE` instead of the first that is found")
	flags.String("host", "", "listen on this `HOST`")
	flags.String("port", "", "listen on port `N`; 0 picks a free one")
	if err := flags.Parse(p.args); err != nil {
		return config.Options{}, errors.Join(errUsage, err)
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(p.stderr, "unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return config.Options{}, errUsage
	}
	override := make(map[string]any)
	flags.Visit(func(set *flag.Flag) {
		if set.Name != "config" {
			override["server."+set.Name] = set.Value.String()
		}
	})
	return config.Options{Path: *path, Dir: p.dir, Environ: p.environ, Override: override}, nil
}
