package config_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

// changed are the entries that somebody said something about: those of the file, the environment and flags.
func changed(entries []config.Entry, from ...config.Source) []config.Entry {
	var list []config.Entry
	for _, e := range entries {
		for _, source := range from {
			if e.Origin.Source == source {
				list = append(list, e)
			}
		}
	}
	return list
}

// where is an origin as people are told it: without the directory, which is that of every other place.
func where(o config.Origin) string {
	o.File = filepath.Base(o.File)
	return o.String()
}

// A page for operators shows what is set, to what, and by whom. What may be secret is not in it.
func ExampleEntry() {
	reg, path, cleanup := registryAndFile("[server]\nport = 9000\n" +
		"[[security.api_keys]]\nname = \"ci\"\nkey = \"open-sesame\"\n")
	defer cleanup()
	file, err := config.Load(reg, config.Options{
		Path:     path,
		Environ:  []string{"LOGGING__LEVEL=debug"},
		Override: map[string]any{"server.host": "::1"}, // a flag
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	set := changed(file.Entries(), config.SourceFile, config.SourceEnvironment, config.SourceOverride)
	for _, e := range set {
		fmt.Printf("%s = %s (%s)\n", e.Key, e.Value, where(e.Origin))
	}
	// Output:
	// server.host = "::1" (override)
	// server.port = 9000 (ccproxy.toml:2:1)
	// logging.level = "debug" (environment LOGGING__LEVEL)
	// security.api_keys = [{name = "ci", key = "***"}] (ccproxy.toml:3:12)
}

// newServer is a server that keeps to the configuration.
func newServer(s config.Server, h http.Handler) *http.Server {
	return &http.Server{
		Addr: s.Address(), Handler: h, ReadHeaderTimeout: s.ReadHeaderTimeout, IdleTimeout: s.IdleTimeout,
	}
}

// newLogger is a logger that keeps to the configuration, for a program whose output nobody watches.
func newLogger(l config.Logging) *slog.Logger {
	options := &slog.HandlerOptions{
		Level: l.Level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}
	if l.Format == "plain" || l.Format == "rich" {
		return slog.New(slog.NewTextHandler(os.Stdout, options))
	}
	return slog.New(slog.NewJSONHandler(os.Stdout, options))
}

// The tables [server] and [logging] are for the program around the proxy. Nothing in the module listens or logs by
// itself.
func ExampleServer() {
	reg, path, cleanup := registryAndFile("[server]\nport = 9000\nidle_timeout = \"30s\"\n" +
		"[logging]\nlevel = \"warn\"\n")
	defer cleanup()
	var file *config.File
	file, err := config.Load(reg, config.Options{Path: path, Environ: []string{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	logger := newLogger(file.Logging)
	server := newServer(file.Server, http.NotFoundHandler()) // or a ccproxy.Handle
	logger.Info("not logged")
	logger.Warn("listening", "addr", server.Addr, "idle", server.IdleTimeout/time.Second)
	fmt.Println("running requests get", file.Server.ShutdownTimeout)
	// Output:
	// {"level":"WARN","msg":"listening","addr":"127.0.0.1:9000","idle":30}
	// running requests get 30s
}

// A variable that machines have already sets a key where nothing else does. Those of vendors are known; here is
// one of a company's own.
func ExampleKeyVariable() {
	reg, path, cleanup := registryAndFile("")
	defer cleanup()
	if err := reg.Register(claudeapi.Factory()); err != nil {
		fmt.Println(err)
		return
	}
	house := config.KeyVariable{Variable: "HOUSE_CLAUDE_KEY", Plugin: "claude_api", Key: "api_key"}
	file, err := config.Load(reg, config.Options{
		Path:         path,
		Environ:      []string{"HOUSE_CLAUDE_KEY=sk-house", "ANTHROPIC_API_KEY=sk-mine"},
		KeyVariables: append([]config.KeyVariable{house}, config.KeyVariables()...), // the first wins
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	origin, _ := file.Provenance("plugins.claude_api.api_key")
	fmt.Println(origin)
	// Output:
	// environment HOUSE_CLAUDE_KEY
}

// annotation marks a mistake in the review of a change, as some code hosts show it.
func annotation(e *config.KeyError) string {
	if e.Origin.Source != config.SourceFile {
		return fmt.Sprintf("::error::%s: %s", e.Key, e.Problem)
	}
	return fmt.Sprintf("::error file=%s,line=%d,col=%d::%s: %s",
		filepath.Base(e.Origin.File), e.Origin.Line, e.Origin.Column, e.Key, e.Problem)
}

// A check of a repository's configuration tells every mistake at its place.
func ExampleKeyError() {
	reg, path, cleanup := registryAndFile("[server]\nprot = 9000\n[logging]\nlevel = \"loud\"\n")
	defer cleanup()
	_, err := config.Load(reg, config.Options{Path: path, Environ: []string{"SERVER__IDLE_TIMEOUT=soon"}})
	mistakes, _ := errors.AsType[config.KeyErrors](err)
	for _, mistake := range mistakes {
		fmt.Println(annotation(mistake))
	}
	fmt.Println(errors.Is(err, ccproxy.ErrConfig))
	// Output:
	// ::error file=ccproxy.toml,line=2,col=1::server.prot: unknown key (did you mean "port"?)
	// ::error file=ccproxy.toml,line=4,col=9::logging.level: must be one of trace, debug, info, warn, error, critical
	// ::error::server.idle_timeout: must be a number of seconds or a string such as "1m30s"
	// true
}
