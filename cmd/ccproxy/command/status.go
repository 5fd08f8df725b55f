package command

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// status is what the status command tells.
type status struct {
	Version  string       `json:"version"`
	Library  string       `json:"library"`
	Go       string       `json:"go"`
	Platform string       `json:"platform"`
	Config   statusConfig `json:"config"`
	Server   statusServer `json:"server"`
	Plugins  []pluginRow  `json:"plugins,omitempty"`
}

type statusConfig struct {
	Path     string         `json:"path"`
	Sources  map[string]int `json:"sources"` // how many keys are from where
	Warnings []string       `json:"warnings"`
}

type statusServer struct {
	Address string `json:"address"`
	// State is "ready", "unready" or "not running".
	State string `json:"state"`
	Keys  int    `json:"keys"`
}

// askTime bounds the question whether the server runs.
const askTime = 2 * time.Second

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "Show the configuration, the plugins, and whether the server runs", Args: exactly(0),
	}
	asJSON := jsonFlag(cmd)
	plugins := cmd.Flags().Bool("plugins", true, "show the plugins")
	settings := cmd.Flags().Bool("settings", true, "show where the configuration is from")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		file, err := a.load(nil)
		if err != nil {
			return err
		}
		s, err := a.status(file)
		if err != nil {
			return err
		}
		s.Server.State = askReady(cmd.Context(), s.Server.Address)
		if !*plugins {
			s.Plugins = nil
		}
		if *asJSON {
			return writeJSON(a.Stdout, s)
		}
		return s.write(a.Stdout, *settings)
	}
	cmd.AddCommand(
		a.statusPartCommand("plugins", "Show which plugins would run, and why others would not",
			func(s *status) any { return s.Plugins },
			func(s *status) error { return writePlugins(a.Stdout, s.Plugins) }),
		a.statusPartCommand("config", "Show where the configuration is from",
			func(s *status) any { return s.Config }, func(s *status) error {
				t := table{head: []string{"file", s.Config.file()}}
				s.Config.add(&t)
				return t.write(a.Stdout)
			}),
	)
	return cmd
}

// statusPartCommand shows one part of the status, whether the server runs or not.
func (a *app) statusPartCommand(name, short string, part func(*status) any, write func(*status) error) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Args: exactly(0)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		file, err := a.load(nil)
		if err != nil {
			return err
		}
		s, err := a.status(file)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(a.Stdout, part(s))
		}
		return write(s)
	}
	return cmd
}

// status tells all but whether the server runs.
func (a *app) status(f *config.File) (*status, error) {
	rows, err := a.pluginRows(f)
	if err != nil {
		return nil, err
	}
	s := &status{
		Version: a.Version, Library: ccproxy.Version,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Config:  statusConfig{Path: f.Path, Sources: make(map[string]int), Warnings: append([]string{}, f.Warnings...)},
		Plugins: rows,
	}
	for _, e := range f.Entries() {
		s.Config.Sources[sourceName(e.Origin.Source)]++
	}
	s.Server = statusServer{Address: "http://" + dialable(f.Server), Keys: len(f.Settings.Security.Keys)}
	return s, nil
}

func sourceName(s config.Source) string {
	switch s {
	case config.SourceFile:
		return "file"
	case config.SourceEnvironment:
		return "environment"
	case config.SourceOverride:
		return "override"
	default:
		return "default"
	}
}

// dialable is an address at which a program of this machine reaches the server.
func dialable(s config.Server) string {
	host, port, err := net.SplitHostPort(s.Address())
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return s.Address()
}

// askReady asks whether something that answers like the proxy is there.
func askReady(ctx context.Context, address string) string {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	const none = "not running"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health/ready", http.NoBody)
	if err != nil {
		return none
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy stands between programs of one machine
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return none
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return "ready"
	case http.StatusServiceUnavailable:
		return "unready"
	default:
		return "something else answers"
	}
}

func (c statusConfig) file() string {
	if c.Path == "" {
		return "none found"
	}
	return c.Path
}

// add tells where keys are from, and what is odd about them.
func (c statusConfig) add(t *table) {
	for _, source := range []string{"file", "environment", "override", "default"} {
		t.add("from "+source, fmt.Sprintf("%d keys", c.Sources[source]))
	}
	for _, warning := range c.Warnings {
		t.add("warning", warning)
	}
}

func (s *status) write(w io.Writer, settings bool) error {
	t := table{head: []string{"version", s.Version + " (library " + s.Library + ", " + s.Go + ", " + s.Platform + ")"}}
	t.add("server", s.Server.Address+" "+s.Server.State)
	access := "no key is asked for"
	if s.Server.Keys > 0 {
		access = fmt.Sprintf("%d key(s)", s.Server.Keys)
	}
	t.add("access", access)
	if settings {
		t.add("file", s.Config.file())
		s.Config.add(&t)
	}
	if err := t.write(w); err != nil || s.Plugins == nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return writePlugins(w, s.Plugins)
}
