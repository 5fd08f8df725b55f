package ccproxy

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/go-playground/validator/v10"
	"github.com/go-viper/mapstructure/v2"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// ConfigSpec declares the configuration of a plugin, see [ConfigFor]. The zero value takes no keys.
type ConfigSpec struct {
	defaults func() any
}

// ConfigFor declares a configuration of type C, a struct. defaults returns a new value that holds the defaults;
// nil means the zero value.
//
// The plugin's table is decoded over the defaults, strictly: a key that C has not is an error, with the nearest
// name. Keys are named by "toml" tags, or the field's name in snake_case. A [time.Duration] takes a number of
// seconds or a string such as "1m30s"; types that implement encoding.TextUnmarshaler, [Secret] among them, take a
// string. "validate" tags are those of github.com/go-playground/validator/v10.
func ConfigFor[C any](defaults func() *C) ConfigSpec {
	return ConfigSpec{defaults: func() any {
		if defaults == nil {
			return new(C)
		}
		return defaults()
	}}
}

// IsZero reports whether no configuration is declared.
func (s ConfigSpec) IsZero() bool { return s.defaults == nil }

// New returns a new pointer to the declared struct, holding the defaults, or nil for the zero ConfigSpec.
func (s ConfigSpec) New() any {
	if s.defaults == nil {
		return nil
	}
	return s.defaults()
}

// configChecker decodes and validates configurations. A validator caches what it learns of types.
type configChecker struct {
	validate *validator.Validate
}

func newConfigChecker() configChecker {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(configKey)
	v.RegisterCustomTypeFunc(func(field reflect.Value) any {
		s, ok := reflect.TypeAssert[Secret](field)
		if !ok || s.IsZero() {
			return nil
		}
		return "set" // the value itself stays out of validation errors
	}, Secret{})
	return configChecker{validate: v}
}

// load returns the configuration of a plugin: the table over the defaults, or the code's override. The table is
// checked in either case, so that a wrong key never goes unnoticed.
func (c configChecker) load(plugin string, spec ConfigSpec, override any, table map[string]any) (any, error) {
	cfg := spec.New()
	if override != nil && reflect.TypeOf(override) != reflect.TypeOf(cfg) {
		return nil, fmt.Errorf("plugins.%s: configuration from code is %T, the plugin takes %T: %w",
			plugin, override, cfg, ErrConfig)
	}
	table = cloneTable(table)
	delete(table, enabledKey)
	target := cfg
	if target == nil {
		target = &struct{}{}
	}
	if err := decodeTable(plugin, table, target); err != nil {
		return nil, err
	}
	if override != nil {
		cfg = override
	}
	if cfg == nil {
		return nil, nil //nolint:nilnil // a plugin without a configuration has none
	}
	return cfg, c.check(plugin, cfg)
}

func decodeTable(plugin string, table map[string]any, cfg any) error {
	var md mapstructure.Metadata
	dec, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: cfg, TagName: "toml", Metadata: &md,
		MatchName: func(key, field string) bool { return key == field || key == snake(field) },
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			durationHook, mapstructure.TextUnmarshallerHookFunc(),
		),
	})
	if err != nil {
		return fmt.Errorf("plugins.%s: %w: %w", plugin, ErrConfig, err)
	}
	if err := dec.Decode(table); err != nil {
		return decodeErrors(plugin, err)
	}
	var errs []error
	known := configKeys(reflect.TypeOf(cfg), "")
	for _, key := range md.Unused {
		hint := nearest.Hint(key, known)
		errs = append(errs, fmt.Errorf("plugins.%s.%s: unknown key%s: %w", plugin, key, hint, ErrConfig))
	}
	return errors.Join(errs...)
}

type joined interface {
	error
	Unwrap() []error
}

// decodeErrors names the full key of each thing that is wrong, and never the value, which may be a secret.
func decodeErrors(plugin string, err error) error {
	if many, ok := errors.AsType[joined](err); ok {
		var errs []error
		for _, e := range many.Unwrap() {
			errs = append(errs, decodeErrors(plugin, e))
		}
		return errors.Join(errs...)
	}
	field := ""
	if de, ok := errors.AsType[*mapstructure.DecodeError](err); ok {
		field = "." + de.Name()
		err = de.Unwrap()
	}
	var wanted string
	switch e := err.(type) { //nolint:errorlint // unwrapped above
	case *mapstructure.UnconvertibleTypeError:
		wanted = fmt.Sprintf(": is of type %s, must be %s", reflect.TypeOf(e.Value), typeName(e.Expected.Type()))
	case *mapstructure.ParseError:
		wanted = ": must be " + typeName(e.Expected.Type())
	default:
		wanted = ": value does not fit"
	}
	return fmt.Errorf("plugins.%s%s%s: %w", plugin, field, wanted, ErrConfig)
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a table"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int64:
		if t == reflect.TypeFor[time.Duration]() {
			return `a number of seconds or a string such as "1m30s"`
		}
		return "a whole number"
	default:
		return "a whole number"
	}
}

func (c configChecker) check(plugin string, cfg any) error {
	err := c.validate.Struct(cfg)
	if err == nil {
		return nil
	}
	fields, ok := errors.AsType[validator.ValidationErrors](err)
	if !ok {
		return fmt.Errorf("plugins.%s: %w: %w", plugin, ErrConfig, err)
	}
	var errs []error
	for _, f := range fields {
		_, key, _ := strings.Cut(f.Namespace(), ".")
		rule := f.Tag()
		if f.Param() != "" {
			rule += "=" + f.Param()
		}
		errs = append(errs, fmt.Errorf("plugins.%s.%s: must satisfy %q: %w", plugin, key, rule, ErrConfig))
	}
	return errors.Join(errs...)
}

// durationHook reads numbers as seconds, where Go itself would read nanoseconds.
func durationHook(_, to reflect.Type, data any) (any, error) {
	if to != reflect.TypeFor[time.Duration]() {
		return data, nil
	}
	v := reflect.ValueOf(data)
	switch {
	case v.Type() == to:
		return data, nil
	case v.Kind() == reflect.String:
		return time.ParseDuration(v.String())
	case v.CanInt():
		return seconds(float64(v.Int()))
	case v.CanUint():
		return seconds(float64(v.Uint()))
	case v.CanFloat():
		return seconds(v.Float())
	}
	return data, nil
}

var errDuration = errors.New("duration is out of range")

// seconds refuses what a Duration cannot hold; a conversion would turn it into any other.
func seconds(n float64) (time.Duration, error) {
	const most = float64(math.MaxInt64 / int64(time.Second))
	if math.IsNaN(n) || n > most || n < -most {
		return 0, errDuration
	}
	return time.Duration(n * float64(time.Second)), nil
}

// configKey is the key of a field in a table.
func configKey(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	if name == "" {
		return snake(f.Name)
	}
	return name
}

// configKeys lists the full keys of a struct type, for hints.
func configKeys(t reflect.Type, prefix string) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for f := range t.Fields() {
		if !f.IsExported() {
			continue
		}
		key := prefix + configKey(f)
		keys = append(keys, key)
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[Secret]() {
			keys = append(keys, configKeys(f.Type, key+".")...)
		}
	}
	return keys
}

// startsWord tells an upper-case letter that begins a word from one inside of an abbreviation.
func startsWord(runes []rune, i int) bool {
	return unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

// snake turns "BaseURL" into "base_url".
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && startsWord(runes, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
