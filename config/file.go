package config

import (
	"crypto/sha256"
	"encoding"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// File is a configuration that was found right. Printing it shows no secret.
type File struct {
	// Path is the file that was read, or "" when the search found none and everything is from elsewhere.
	Path string
	// Server says where and how the application listens.
	Server Server
	// Logging says what the application logs, and in which form.
	Logging Logging
	// Settings is what [ccproxy.Registry.Build] takes, who may call included.
	Settings ccproxy.Settings
	// Warnings are for a person to read: what is doubtful, but no error.
	Warnings []string

	origins map[string]Origin
	entries []Entry
	content digest
}

type digest = [sha256.Size]byte

// Provenance tells where the value of a key such as "server.port" or "plugins.echo.models" comes from. ok is false
// for a key that does not exist. A list is one key; what is in a list of tables also has a key of its own, such as
// "security.api_keys[0].name".
func (f *File) Provenance(key string) (o Origin, ok bool) {
	o, ok = f.origins[key]
	return o, ok
}

// Origins returns a copy of where each key's value comes from.
func (f *File) Origins() map[string]Origin { return maps.Clone(f.origins) }

// Server is the table [server].
type Server struct {
	// Host is the address to listen at. Defaults to 127.0.0.1.
	Host string `toml:"host" validate:"required"`
	// Port is the TCP port. 0 lets the system choose. Defaults to 8000.
	Port int `toml:"port" validate:"gte=0,lte=65535"`
	// PublicURL is the address under which clients reach the proxy, for [ccproxy.WithPublicURL]. Defaults to none.
	PublicURL string `toml:"public_url" validate:"omitempty,http_url"`
	// ReadHeaderTimeout bounds how long a client may take to send its headers. Defaults to 10 seconds.
	ReadHeaderTimeout time.Duration `toml:"read_header_timeout" validate:"gte=0"`
	// IdleTimeout is how long a connection is kept without a request. Defaults to 2 minutes.
	IdleTimeout time.Duration `toml:"idle_timeout" validate:"gte=0"`
	// ShutdownTimeout is how long running requests get when the server stops. Defaults to 30 seconds.
	ShutdownTimeout time.Duration `toml:"shutdown_timeout" validate:"gte=0"`
}

// Address returns host and port as net.Listen takes them. The host may stand in brackets.
func (s Server) Address() string {
	return net.JoinHostPort(strings.Trim(s.Host, "[]"), strconv.Itoa(s.Port))
}

// Logging is the table [logging].
type Logging struct {
	// Level is the lowest level that is logged. Defaults to info.
	Level Level `toml:"level"`
	// Format is auto, json, plain or rich. Auto, the default, leaves the choice to the application, which knows
	// whether a person is reading.
	Format string `toml:"format" validate:"oneof=auto json plain rich"`
}

// Level is a level of log/slog that files may write as trace, debug, info, warn, warning, error or critical, in any
// case. It is an slog.Leveler.
type Level slog.Level

var (
	_ slog.Leveler             = Level(0)
	_ encoding.TextMarshaler   = Level(0)
	_ encoding.TextUnmarshaler = (*Level)(nil)
)

// What log/slog has no names for.
const (
	levelTrace    = Level(slog.LevelDebug - 4)
	levelCritical = Level(slog.LevelError + 4)
)

// Level implements slog.Leveler.
func (l Level) Level() slog.Level { return slog.Level(l) }

// String returns the name that files use.
func (l Level) String() string {
	switch l {
	case levelTrace:
		return "trace"
	case levelCritical:
		return "critical"
	default:
		return strings.ToLower(slog.Level(l).String())
	}
}

// MarshalText returns the name that files use.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads one of the names.
func (l *Level) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "trace":
		*l = levelTrace
	case "debug":
		*l = Level(slog.LevelDebug)
	case "info":
		*l = Level(slog.LevelInfo)
	case "warn", "warning":
		*l = Level(slog.LevelWarn)
	case "error":
		*l = Level(slog.LevelError)
	case "critical":
		*l = levelCritical
	default:
		return fmt.Errorf("%w: must be %s", ccproxy.ErrConfig, levelNames)
	}
	return nil
}

const levelNames = "one of trace, debug, info, warn, error, critical"

// document is a file but for its plugins.
type document struct {
	// Server says where and how the application listens.
	Server Server `toml:"server"`
	// Logging says what the application logs, and in which form.
	Logging Logging `toml:"logging"`
	// Security says who may call.
	Security security `toml:"security"`
	// EnablePlugins turns all plugins off, and the /plugins routes with them, if it is false. Defaults to true.
	EnablePlugins bool `toml:"enable_plugins"`
	// EnabledPlugins is the allow list: without it all plugins run, and with an empty one none. A plugin that is off
	// by default runs when it is named.
	EnabledPlugins []string `toml:"enabled_plugins"`
	// DisabledPlugins is the deny list; it wins over the allow list.
	DisabledPlugins []string `toml:"disabled_plugins"`

	// StrictConversion refuses a request with 400, naming the fields, when the provider's format cannot express all of
	// it. Defaults to false.
	StrictConversion bool `toml:"strict_conversion"`
	// ModelMappings holds a list of rules for each provider that takes the place of its own; the first that matches
	// counts.
	ModelMappings map[string][]ccproxy.ModelRule `toml:"model_mappings"`
	// Models holds a list of model cards for each provider that takes the place of its own.
	Models map[string][]ccproxy.Model `toml:"models"`

	// Features switches behaviour that is on its way in or out.
	Features features `toml:"features"`
	// Limits bounds what one request or plugin may take. Zero stands for the default.
	Limits ccproxy.Limits `toml:"limits"`

	// Streams says how clients' streams are kept open while a provider is silent.
	Streams ccproxy.Streams `toml:"streams"`

	// Retries says when a call is tried again with the same provider.
	Retries ccproxy.Retries `toml:"retries"`
	// Fallbacks says who else is asked for a model; the first rule that matches counts.
	Fallbacks []ccproxy.Fallback `toml:"fallbacks" validate:"dive"`
	// Breakers says when a provider that keeps failing is left alone.
	Breakers ccproxy.Breakers `toml:"breakers"`
}

// features is [ccproxy.Features] with the names and the senses that files use.
type features struct {
	// ManifestFormatAdapters has the proxy register the format adapters that manifests declare; otherwise plugins do
	// that themselves. Defaults to true.
	ManifestFormatAdapters bool `toml:"manifest_format_adapters"`
	// UseTypedAdapters calls format adapters in their direct form where they have one; otherwise all are called on
	// maps, to find out whether a fault lies there. Defaults to true.
	UseTypedAdapters bool `toml:"use_typed_adapters"`
}

func defaults() *document {
	return &document{
		Server: Server{
			Host: "127.0.0.1", Port: 8000,
			ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ShutdownTimeout: 30 * time.Second,
		},
		Logging:       Logging{Format: "auto"},
		EnablePlugins: true,
		Features:      features{ManifestFormatAdapters: true, UseTypedAdapters: true},
	}
}

// settings is the part of the document that Build takes; the plugins' tables come from the tree.
func (d *document) settings() ccproxy.Settings {
	return ccproxy.Settings{
		DisablePlugins:  !d.EnablePlugins,
		EnabledPlugins:  slices.Clone(d.EnabledPlugins),
		DisabledPlugins: slices.Clone(d.DisabledPlugins),

		StrictConversion: d.StrictConversion, ModelMappings: d.ModelMappings, Models: d.Models,

		Security: d.Security.settings(),
		Features: ccproxy.Features{
			ManualFormatAdapters: !d.Features.ManifestFormatAdapters,
			UntypedAdapters:      !d.Features.UseTypedAdapters,
		},
		Limits:  d.Limits,
		Streams: d.Streams,
		Retries: d.Retries, Fallbacks: d.Fallbacks, Breakers: d.Breakers,
	}
}
