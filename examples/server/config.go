package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/claudeapi"
)

// config is what the flags, the file and the environment say together.
type config struct {
	host        string
	port        int
	allowRemote bool
	level       slog.Level
	settings    ccproxy.Settings
}

// file is the shape of the configuration file.
type file struct {
	EnabledPlugins  []string                  `toml:"enabled_plugins"`
	DisabledPlugins []string                  `toml:"disabled_plugins"`
	EnablePlugins   bool                      `toml:"enable_plugins"`
	Plugins         map[string]map[string]any `toml:"plugins"`
	Server          struct {
		Host string `toml:"host"`
		Port int    `toml:"port"`
	} `toml:"server"`
	Logging struct {
		Level slog.Level `toml:"level"`
	} `toml:"logging"`
}

// load reads flags, file and environment; flags win over the file. What is wrong with the flags is written to out.
func load(args []string, env func(string) string, out io.Writer) (config, error) {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(out)
	path := flags.String("config", "", "read the TOML `FILE`")
	host := flags.String("host", "127.0.0.1", "listen on this `HOST`")
	port := flags.Int("port", 8000, "listen on port `N`; 0 picks a free one")
	allowRemote := flags.Bool("allow-remote", false, "listen beyond loopback, for anybody and without a key")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	f := file{EnablePlugins: true}
	f.Server.Host, f.Server.Port = *host, *port
	if *path != "" {
		if err := f.read(*path); err != nil {
			return config{}, err
		}
	}
	flags.Visit(func(set *flag.Flag) {
		switch set.Name {
		case "host":
			f.Server.Host = *host
		case "port":
			f.Server.Port = *port
		}
	})
	c := config{
		host: f.Server.Host, port: f.Server.Port, allowRemote: *allowRemote, level: f.Logging.Level,
		settings: f.settings(env("ANTHROPIC_API_KEY")),
	}
	return c, c.check()
}

// read decodes a file over what is there already.
func (f *file) read(path string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	err = toml.NewDecoder(bytes.NewReader(src)).DisallowUnknownFields().Decode(f)
	if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var errs []error
		for i := range unknown.Errors {
			e := &unknown.Errors[i]
			line, _ := e.Position()
			errs = append(errs, fmt.Errorf("%s:%d: unknown key %s", path, line, strings.Join(e.Key(), ".")))
		}
		return errors.Join(errs...)
	}
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := wrong.Position()
		return fmt.Errorf("%s:%d: %w", path, line, wrong)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// settings are the part of the file that is the proxy's.
func (f *file) settings(anthropicKey string) ccproxy.Settings {
	tables := f.Plugins
	if tables == nil {
		tables = make(map[string]map[string]any)
	}
	if anthropicKey != "" {
		table := tables[claudeapi.Name]
		if table == nil {
			table = make(map[string]any)
			tables[claudeapi.Name] = table
		}
		if _, given := table["api_key"]; !given {
			table["api_key"] = anthropicKey
		}
	}
	return ccproxy.Settings{
		DisablePlugins: !f.EnablePlugins, EnabledPlugins: f.EnabledPlugins, DisabledPlugins: f.DisabledPlugins,
		Plugins: tables,
	}
}

func (c config) address() string {
	return net.JoinHostPort(strings.Trim(c.host, "[]"), strconv.Itoa(c.port))
}

// errRemote says why the server does not listen everywhere, and what to do.
var errRemote = errors.New("not a loopback address: whoever reaches it could use your credentials, since this " +
	"server asks its clients for no key; use -host 127.0.0.1, or -allow-remote if something in front of it keeps " +
	"strangers out")

func (c config) check() error {
	if c.port < 0 || c.port > 65535 {
		return fmt.Errorf("port %d: must be from 0 to 65535", c.port)
	}
	if !c.allowRemote && !isLoopback(c.host) {
		return fmt.Errorf("host %q: %w", c.host, errRemote)
	}
	return nil
}
