// Command release makes the modules of a checkout into a release: a directory that the go command takes for a module
// proxy, with the files that a tag would hold.
//
//	go run ./test/release -version v0.1.0 -out dist/proxy
//
// In a checkout the modules replace each other by their directories and require the version v0.0.0, which there is
// not. A release has neither: in its go.mod files no directory is replaced, and all modules have the one version. With
// -write these go.mod files go into the checkout, to be committed and tagged; nothing else of it is ever changed.
// Modules below test/ and the tools are not released.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "", "the `VERSION` of all modules, such as v0.1.0")
	out := flags.String("out", "", "the new `DIRECTORY` that becomes the module proxy")
	write := flags.Bool("write", false, "write the go.mod files of the release into the checkout")
	dirty := flags.Bool("dirty", false, "take files that are not committed, too, and any version")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version == "" || (*out == "") == !*write {
		return errors.New("-version and one of -out and -write are needed")
	}
	r, err := load(ctx, ".", *version)
	if err != nil {
		return err
	}
	if !*dirty {
		if err := errors.Join(r.said(), r.committed(ctx)); err != nil {
			return err
		}
	}
	if *write {
		return r.writeMods(stdout)
	}
	return r.writeProxy(ctx, *out, stdout)
}
