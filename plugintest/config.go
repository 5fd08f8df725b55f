package plugintest

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
)

// unlikely is a key and a value that no configuration has, and that no message may tell.
const (
	unlikelyKey   = "plugintest_no_such_key"
	unlikelyValue = "plugintest-value-that-may-be-secret"
)

// testWrongConfig builds proxies with tables that are wrong. Values may be secrets: no error tells one.
func (s *suite) testWrongConfig(t *testing.T) {
	t.Helper()
	m := s.factory.Manifest()
	tables := map[string]map[string]any{}
	fields, open := configFields(m.Config)
	if !open {
		tables["unknown key"] = map[string]any{unlikelyKey: unlikelyValue}
	}
	for key, typ := range fields {
		if wrong := misfit(typ); wrong != nil {
			tables["wrong type of "+key] = map[string]any{key: wrong}
		}
	}
	for name, wrong := range tables {
		table := maps.Clone(s.table)
		if table == nil {
			table = map[string]any{}
		}
		maps.Copy(table, wrong)
		table["enabled"] = true
		err := s.tryBuild(table)
		switch {
		case err == nil:
			t.Errorf("%s: Build takes it", name)
		case errors.Is(err, ccproxy.ErrPanic):
			t.Errorf("%s: Build: the plugin panics: %v", name, err)
		case !errors.Is(err, ccproxy.ErrConfig):
			t.Errorf("%s: Build: %v, want an ErrConfig", name, err)
		case strings.Contains(err.Error(), unlikelyValue):
			t.Errorf("%s: the error tells the value, which may be a secret: %v", name, err)
		}
	}
}

// configFields lists the keys of a configuration with their types. open tells that it takes any key.
func configFields(spec ccproxy.ConfigSpec) (fields map[string]reflect.Type, open bool) {
	fields = map[string]reflect.Type{}
	if spec.IsZero() {
		return fields, false
	}
	v := reflect.Indirect(reflect.ValueOf(spec.New()))
	if v.Kind() != reflect.Struct {
		return fields, true
	}
	for f := range v.Type().Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("toml"), ",")
		open = open || strings.Contains(options, "remain")
		if f.IsExported() && name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields, open
}

// misfit is a value that a type cannot take, nil where there may be none.
func misfit(t reflect.Type) any {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return unlikelyValue
	case reflect.String:
		return map[string]any{unlikelyKey: unlikelyValue}
	default:
		return nil
	}
}

// secrets are the values of the table that the configuration keeps as secrets.
func (s *suite) secrets() []string {
	var found []string
	fields, _ := configFields(s.factory.Manifest().Config)
	for key, typ := range fields {
		if text, ok := s.table[key].(string); ok && typ == reflect.TypeFor[ccproxy.Secret]() && text != "" {
			found = append(found, text)
		}
	}
	return found
}
