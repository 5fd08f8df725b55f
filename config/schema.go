package config

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

// Schema returns a JSON Schema (draft 2020-12) of the files that [Load] reads for this registry, such as for editors.
// It is made of the same types and rules: what Load refuses for its type, its range or its name, the schema does too.
// Secrets have no default in it. Keys of the proxy and of the plugins that ship with it have descriptions.
func Schema(reg *ccproxy.Registry) ([]byte, error) {
	l := &loader{registry: reg}
	if reg == nil {
		l.registry = new(ccproxy.Registry)
	}
	l.findPlugins()
	if err := l.mistakes.err(); err != nil {
		return nil, err
	}
	d := newDescriber()
	tables := make(map[string]any, len(l.plugins))
	for name, p := range l.plugins {
		table := map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{}}
		if p.config.IsValid() {
			table = d.schemaOf(p.typ(), "", p.config, nil)
		}
		if p.manifest.Description != "" {
			table["description"] = p.manifest.Description
		}
		if properties, ok := table["properties"].(map[string]any); ok {
			properties[enabledKey] = map[string]any{
				"type": "boolean", "default": !p.manifest.DefaultOff, "description": enabledDescription,
			}
		}
		tables[name] = table
	}
	document := d.schemaOf(reflect.TypeFor[document](), "", reflect.ValueOf(defaults()).Elem(), nil)
	document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	document["title"] = "ccproxy"
	if properties, ok := document["properties"].(map[string]any); ok {
		properties["plugins"] = map[string]any{
			"type": "object", "additionalProperties": false, "properties": tables,
		}
	}
	return json.MarshalIndent(document, "", "  ")
}

// schemaOf describes a type under the rules of a "validate" tag. byDefault is the default value, or invalid; above are
// the types around it.
func (d describer) schemaOf(
	t reflect.Type, rules string, byDefault reflect.Value, above []reflect.Type,
) map[string]any {
	t = deref(t)
	own, elements, _ := strings.Cut(","+rules+",", ",dive,")
	s := scalarSchema(t)
	if s == nil {
		s = d.compositeSchema(t, strings.Trim(elements, ","), byDefault, above)
	}
	for rule := range strings.SplitSeq(own, ",") {
		name, param, _ := strings.Cut(rule, "=")
		addRule(s, t, name, param)
	}
	return s
}

// scalarSchema is nil for what is made of other values.
func scalarSchema(t reflect.Type) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		const part = `([0-9]+(\.[0-9]*)?|\.[0-9]+)`
		const pattern = `^[-+]?` + part + `(ns|us|µs|ms|s|m|h)?(` + part + `(ns|us|µs|ms|s|m|h))*$`
		return map[string]any{
			"description": "seconds, or a duration such as 1m30s",
			"anyOf": []any{
				map[string]any{"type": "number"}, map[string]any{"type": "string", "pattern": pattern},
			},
		}
	case t == reflect.TypeFor[Level]():
		return map[string]any{"type": "string", "description": levelNames}
	case t == reflect.TypeFor[ccproxy.Secret]():
		return map[string]any{"type": "string", "writeOnly": true}
	case readsText(t):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Interface:
		return map[string]any{}
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		return nil
	default:
		return map[string]any{"type": "integer"}
	}
}

func (d describer) compositeSchema(
	t reflect.Type, rules string, byDefault reflect.Value, above []reflect.Type,
) map[string]any {
	switch t.Kind() {
	case reflect.Struct:
		if slices.Contains(above, t) { // a type that holds itself
			return map[string]any{"type": "object"}
		}
		return d.structSchema(t, byDefault, append(slices.Clip(above), t))
	case reflect.Map:
		return map[string]any{
			"type": "object", "additionalProperties": d.schemaOf(t.Elem(), rules, reflect.Value{}, above),
		}
	default:
		return map[string]any{"type": "array", "items": d.schemaOf(t.Elem(), rules, reflect.Value{}, above)}
	}
}

func (d describer) structSchema(t reflect.Type, byDefault reflect.Value, above []reflect.Type) map[string]any {
	properties, required := make(map[string]any), []string{}
	fields, rest := fieldsOf(t)
	for _, f := range fields {
		fallback, rules := member(byDefault, f.index), t.FieldByIndex(f.index).Tag.Get("validate")
		one := d.schemaOf(f.typ, rules, fallback, above)
		if value, ok := defaultOf(f.key, fallback); ok {
			one["default"] = value
		}
		if text := d.of(t, f.index); text != "" {
			one["description"] = text
		}
		properties[f.key] = one
		own, _, _ := strings.Cut(","+rules+",", ",dive,")
		if !byDefault.IsValid() && strings.Contains(own+",", ",required,") {
			required = append(required, f.key)
		}
	}
	s := map[string]any{"type": "object", "properties": properties}
	if rest == nil {
		s["additionalProperties"] = false
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// defaultOf is a default worth to be told.
func defaultOf(key string, v reflect.Value) (any, bool) {
	if v = indirect(v); !v.IsValid() || isSecret(key, v.Type()) {
		return nil, false
	}
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return d.String(), true
	}
	if readsText(v.Type()) {
		return text(key, v), false
	}
	switch {
	case v.Kind() == reflect.Bool, v.Kind() == reflect.String && v.Len() > 0, v.CanInt(), v.CanUint(), v.CanFloat():
		return v.Interface(), true
	case v.Kind() == reflect.Slice && v.Len() > 0 && v.Type().Elem().Kind() == reflect.String:
		return v.Interface(), true
	}
	return nil, false
}

// addRule says a rule of the validator in the words of JSON Schema, where there are some.
func addRule(s map[string]any, t reflect.Type, name, param string) {
	if t.Kind() == reflect.String {
		switch name {
		case "oneof":
			s["enum"] = strings.Fields(param)
		case "http_url", "url":
			s["format"] = "uri"
		}
	}
	limit, err := strconv.ParseFloat(param, 64)
	if word := limitWord(s, t, name); err == nil && word != "" {
		s[word] = limit
	}
}

// limitWord is JSON Schema's word for a limit of a number or a length, "" for none.
func limitWord(s map[string]any, t reflect.Type, name string) string {
	if s["type"] == "integer" || s["type"] == "number" {
		return map[string]string{
			"gte": "minimum", "min": "minimum", "lte": "maximum", "max": "maximum",
			"gt": "exclusiveMinimum", "lt": "exclusiveMaximum",
		}[name]
	}
	counted := map[reflect.Kind]string{
		reflect.String: "Length", reflect.Slice: "Items", reflect.Array: "Items", reflect.Map: "Properties",
	}[t.Kind()]
	bound := map[string]string{"gte": "min", "min": "min", "lte": "max", "max": "max"}[name]
	if counted == "" || bound == "" || readsText(t) || isScalar(t) {
		return ""
	}
	return bound + counted
}
