package config_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// A program loads its file, builds the proxy, and takes changes of the file over while requests run.
func ExampleReloader() {
	var reg ccproxy.Registry
	if err := reg.Register(echo.Factory()); err != nil {
		log.Fatal(err)
	}
	_, path, cleanup := registryAndFile("[plugins.echo]\nprefix = \"you said: \"\n")
	configFlag, logger := &path, slog.New(slog.DiscardHandler)

	file, err := config.Load(&reg, config.Options{Path: *configFlag})
	if err != nil {
		log.Fatal(err) // every mistake, each with its line and column
	}
	proxy, err := reg.Build(file.Settings)
	if err != nil {
		log.Fatal(err)
	}
	var handle ccproxy.Handle
	ctx, cancel := context.WithCancel(context.Background())
	if err := handle.Swap(ctx, proxy); err != nil {
		log.Fatal(err)
	}
	reloader := config.Reloader{Registry: &reg, Handle: &handle, Current: file, Logger: logger}
	done := make(chan error)
	go func() { done <- reloader.Run(ctx) }()
	cancel()
	<-done
	cleanup()
	fmt.Println(handle.Swap(context.Background(), nil))
	// Output: <nil>
}

// A file holds what an application around the proxy wants of a file; entries are for people.
func ExampleFile() {
	reg, path, cleanup := registryAndFile("[server]\nport = 9000\n[logging]\nlevel = \"debug\"\n")
	defer cleanup()
	file, err := config.Load(reg, config.Options{Path: path, Environ: []string{}, KeyVariables: config.KeyVariables()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.Server.Address(), file.Logging.Level, file.Logging.Level == config.Level(slog.LevelDebug))
	for _, e := range file.Entries() {
		if e.Key == "server.port" {
			fmt.Println(e.Value, e.Default, e.Description, e.Origin.Source == config.SourceFile)
		}
	}
	schema, err := config.Schema(reg)
	fmt.Println(len(schema) > 1000, err)
	// Output:
	// 127.0.0.1:9000 debug true
	// 9000 8000 port is the TCP port. 0 lets the system choose. Defaults to 8000. true
	// true <nil>
}

// Every mistake is one with a key and, from a file, a place.
func ExampleKeyErrors() {
	reg, path, cleanup := registryAndFile("[server]\nprot = 9000\n")
	defer cleanup()
	_, err := config.Load(reg, config.Options{Path: path, Environ: []string{}})
	if mistakes, ok := errors.AsType[config.KeyErrors](err); ok {
		fmt.Println(mistakes[0].Key, mistakes[0].Problem)
	}
	// Output: server.prot unknown key (did you mean "port"?)
}
