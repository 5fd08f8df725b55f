package ccproxy

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"
)

// Settings is what an application or its users choose: pure data. The zero value runs every registered plugin
// that is not DefaultOff, each with its default configuration. [Registry.Build] makes a deep copy.
type Settings struct {
	// DisablePlugins turns all plugins off, and the /plugins routes with them.
	DisablePlugins bool
	// EnabledPlugins is the allow list: nil means all, empty none. A plugin that is DefaultOff runs when named.
	EnabledPlugins []string
	// DisabledPlugins is the deny list; it wins over the allow list.
	DisabledPlugins []string
	// Plugins holds a table for each plugin: plain values as TOML or JSON give them. The key "enabled" is
	// the proxy's, the others are decoded strictly into the plugin's configuration. A table of a plugin
	// that is not registered is an error.
	Plugins map[string]map[string]any
	// Security says who may call.
	Security Security
	// ModelMappings holds rules by the names of providers, in place of the provider's own ([ProviderSpec]): an empty
	// list has none. A provider that no registered plugin has is an error.
	ModelMappings map[string][]ModelRule
	// Models holds cards by the names of providers, in place of the provider's own ([ProviderSpec]). What a card says
	// of a model counts more than what the provider lists; a model that only a card has is listed too; and where a
	// provider cannot list, the cards are its list. A provider that no registered plugin has is an error.
	Models map[string][]Model
	// StrictConversion refuses a request of which the provider's format cannot express a field, with a 400 that
	// names it. Otherwise the answer has the fields in its X-CCProxy-Loss header. It needs adapters that tell, so it
	// cannot be had with Features.UntypedAdapters.
	StrictConversion bool
	// Features switches behaviour that is on its way in or out.
	Features Features
	// Limits bounds what one request or plugin may take.
	Limits Limits
	// Streams says how clients' streams are kept open.
	Streams Streams
	// Retries says when a call is tried again with the same provider.
	Retries Retries
	// Fallbacks says who else is asked for a model. A provider that no registered plugin has is an error.
	Fallbacks []Fallback
	// Breakers says when a provider that keeps failing is left alone.
	Breakers Breakers
}

// Streams says how clients' streams are kept open while a provider is silent.
type Streams struct {
	// KeepAlive is how long a client's stream may be silent before it is sent a keep-alive of its format: a ping
	// event for Anthropic's clients, a comment for OpenAI's. Zero means 15 seconds; a time longer than any answer
	// takes turns them off.
	KeepAlive time.Duration
	// CommitAfter is how long a client that asks for a stream waits for the first event. Then it is sent the headers
	// of a stream and keep-alives, whatever comes: a failure after that is an event of a stream that has status 200.
	// Zero means never: without a first event, a failure is an answer with a status of its own.
	CommitAfter time.Duration
}

func (s Streams) withDefaults() Streams {
	s.KeepAlive = positive(s.KeepAlive, 15*time.Second)
	return s
}

// Features switches behaviour that is on its way in or out.
type Features struct {
	// ManualFormatAdapters ignores the FormatAdapters of manifests, for plugins that register theirs during
	// Initialize. ("manifest_format_adapters = false" in configuration files.)
	ManualFormatAdapters bool
	// UntypedAdapters calls every format adapter in its untyped form, on maps, also those that convert typed values
	// or JSON directly. It is for finding out whether a fault lies in the direct form: it is slower, does not keep
	// the order of keys, and tells nothing of losses. ("use_typed_adapters = false" in configuration files.)
	UntypedAdapters bool
}

// check finds features that exclude what else the settings ask for.
func (f Features) check(s Settings) error {
	if f.UntypedAdapters && s.StrictConversion {
		return fmt.Errorf("strict_conversion: needs features.use_typed_adapters: %w", ErrConfig)
	}
	return nil
}

// Limits bounds what one request or plugin may take. Zero fields mean the defaults.
type Limits struct {
	// BodyBytes is the largest request body, after decompression. Defaults to 32 MiB.
	BodyBytes int64
	// EventBytes is the largest event of an upstream's stream. Defaults to 32 MiB.
	EventBytes int
	// AnswerBytes is the largest answer that is held back until it is whole; a larger one is passed on while
	// it arrives, or is an error where it has to be converted. Defaults to 8 MiB.
	AnswerBytes int64
	// JSONDepth is the deepest nesting of a request body. Defaults to 256.
	JSONDepth int
	// ReadTimeout is how long a client may send nothing of a body that it has announced. Defaults to 60 seconds.
	ReadTimeout time.Duration
	// BodyTimeout is how long all of a body may take. Without it a client that sends a byte now and then would hold a
	// connection, and what was read, for as long as it likes. Defaults to 5 minutes.
	BodyTimeout time.Duration
	// WriteTimeout is how long a client may take nothing of an answer. Defaults to 30 seconds.
	WriteTimeout time.Duration
	// FirstByte is how long a provider may take until it begins to answer: until the header of a response, and where
	// that is no stream until the first byte behind it. Another attempt has that time again. Defaults to an hour.
	FirstByte time.Duration
	// StreamIdle is how long a provider that has begun an answer may send nothing of it: of a stream no byte of an
	// event, no comment and no ping. For an event that comes slowly, or after nothing but comments, it has four times
	// as long. The answer is an error then, or ends with one. How long it takes in all is not limited. Defaults to 5
	// minutes.
	StreamIdle time.Duration
	// PluginStart bounds each call of a plugin while it starts. Defaults to 30 seconds.
	PluginStart time.Duration
	// PluginStop bounds each plugin's Shutdown. Defaults to 5 seconds.
	PluginStop time.Duration
}

func (l Limits) withDefaults() Limits {
	l.BodyBytes = positive(l.BodyBytes, 32<<20)
	l.EventBytes = positive(l.EventBytes, 32<<20)
	l.AnswerBytes = positive(l.AnswerBytes, 8<<20)
	l.JSONDepth = positive(l.JSONDepth, 256)
	l.ReadTimeout = positive(l.ReadTimeout, time.Minute)
	l.BodyTimeout = positive(l.BodyTimeout, 5*time.Minute)
	l.WriteTimeout = positive(l.WriteTimeout, 30*time.Second)
	l.FirstByte = positive(l.FirstByte, time.Hour)
	l.StreamIdle = positive(l.StreamIdle, 5*time.Minute)
	l.PluginStart = positive(l.PluginStart, 30*time.Second)
	l.PluginStop = positive(l.PluginStop, 5*time.Second)
	return l
}

func positive[N int | int64 | time.Duration](n, fallback N) N {
	if n <= 0 {
		return fallback
	}
	return n
}

// enabled is the key of a plugin's table that is the proxy's own.
const enabledKey = "enabled"

func (s Settings) clone() Settings {
	s.EnabledPlugins = slices.Clone(s.EnabledPlugins)
	s.DisabledPlugins = slices.Clone(s.DisabledPlugins)
	s.Security = s.Security.clone()
	s.ModelMappings = cloneMappings(s.ModelMappings)
	s.Models = cloneCards(s.Models)
	s.Retries, s.Breakers, s.Fallbacks = s.Retries.clone(), s.Breakers.clone(), cloneFallbacks(s.Fallbacks)
	if s.Plugins != nil {
		tables := make(map[string]map[string]any, len(s.Plugins))
		for name, table := range s.Plugins {
			tables[name] = cloneTable(table)
		}
		s.Plugins = tables
	}
	return s
}

func cloneMappings(mappings map[string][]ModelRule) map[string][]ModelRule {
	if mappings == nil {
		return nil
	}
	c := make(map[string][]ModelRule, len(mappings))
	for provider, rules := range mappings {
		c[provider] = slices.Clone(rules)
	}
	return c
}

func cloneCards(cards map[string][]Model) map[string][]Model {
	if cards == nil {
		return nil
	}
	c := make(map[string][]Model, len(cards))
	for provider, list := range cards {
		c[provider] = cloneModels(list)
	}
	return c
}

// only returns a copy that holds no other plugin's table.
func (s Settings) only(plugin string) Settings {
	tables := s.Plugins
	s.Plugins, s.Security.Keys = nil, nil
	s = s.clone()
	if table, ok := tables[plugin]; ok {
		s.Plugins = map[string]map[string]any{plugin: cloneTable(table)}
	}
	return s
}

func cloneTable(t map[string]any) map[string]any {
	c := make(map[string]any, len(t))
	for k, v := range t {
		c[k] = cloneValue(v)
	}
	return c
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneTable(v)
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = cloneValue(v[i])
		}
		return c
	case []string:
		return slices.Clone(v)
	case []map[string]any:
		c := make([]map[string]any, len(v))
		for i := range v {
			c[i] = cloneTable(v[i])
		}
		return c
	default:
		return cloneOther(v)
	}
}

// cloneOther copies maps and slices of whatever type an application puts into a table.
func cloneOther(v any) any {
	in := reflect.ValueOf(v)
	switch in.Kind() {
	case reflect.Map:
		if in.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(in.Type(), in.Len())
		for it := in.MapRange(); it.Next(); {
			out.SetMapIndex(it.Key(), cloneReflected(it.Value()))
		}
		return out.Interface()
	case reflect.Slice:
		if in.IsNil() {
			return v
		}
		out := reflect.MakeSlice(in.Type(), in.Len(), in.Len())
		for i := range in.Len() {
			out.Index(i).Set(cloneReflected(in.Index(i)))
		}
		return out.Interface()
	default:
		return v
	}
}

func cloneReflected(v reflect.Value) reflect.Value {
	c := reflect.ValueOf(cloneValue(v.Interface()))
	if !c.IsValid() {
		return reflect.Zero(v.Type()) // a nil in a map or slice of interfaces
	}
	return c
}

// String shows the settings without any value of a plugin's table, since those may be secret.
func (s Settings) String() string {
	tables := make(map[string][]string, len(s.Plugins))
	for name, t := range s.Plugins {
		tables[name] = slices.Sorted(maps.Keys(t))
	}
	return fmt.Sprintf("{DisablePlugins:%v EnabledPlugins:%v DisabledPlugins:%v Plugins:%v Features:%+v Limits:%+v}",
		s.DisablePlugins, s.EnabledPlugins, s.DisabledPlugins, tables, s.Features, s.Limits)
}

// Format prints String for every verb, so that none shows a secret.
func (s Settings) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is String.
func (s Settings) LogValue() slog.Value { return slog.StringValue(s.String()) }
