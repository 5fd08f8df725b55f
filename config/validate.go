package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/ccproxy-go/ccproxy"
)

// checker holds values against the "validate" tags of their structs.
type checker struct {
	validate *validator.Validate
}

func newChecker() checker {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, options, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if strings.Contains(options, "squash") {
			return squashed
		}
		if name != "" {
			return name
		}
		return snake(f.Name)
	})
	v.RegisterCustomTypeFunc(func(field reflect.Value) any {
		s, ok := reflect.TypeAssert[ccproxy.Secret](field)
		if !ok || s.IsZero() {
			return nil
		}
		return "set" // the value itself stays out of validation errors
	}, ccproxy.Secret{})
	return checker{validate: v}
}

// squashed stands in names of the validator for a struct whose keys are those of the one around it.
const squashed = "~"

// check returns what is wrong with the struct v points to. n is its table, or nil when no source speaks of it; key is
// the table's key, and file what to name when nothing has a place.
func (c checker) check(v any, n *node, key string, file Origin) (mistakes KeyErrors) {
	at := file
	if n != nil {
		at = n.origin
	}
	defer func() {
		if recover() != nil { // a tag that the validator does not know is a bug of the plugin
			mistakes = KeyErrors{{Origin: at, Key: key, Problem: "the validate tags of the plugin are wrong"}}
		}
	}()
	err := c.validate.Struct(v)
	if err == nil {
		return nil
	}
	fields, ok := errors.AsType[validator.ValidationErrors](err)
	if !ok {
		return KeyErrors{{Origin: at, Key: key, Problem: "is not valid"}}
	}
	for _, f := range fields {
		_, name, _ := strings.Cut(strings.ReplaceAll(f.Namespace(), squashed+".", ""), ".")
		e := &KeyError{Origin: at, Problem: rule(f)}
		e.Key, e.Origin = locate(n, key, name, at)
		mistakes = append(mistakes, e)
	}
	return mistakes
}

// locate finds the place of a validator's name such as "servers[0].name" below a table: that of its value, or of
// what is nearest above it.
func locate(n *node, key, name string, at Origin) (string, Origin) {
	for part := range strings.SplitSeq(name, ".") {
		steps := strings.Split(strings.ReplaceAll(part, "]", ""), "[")
		for i, step := range steps {
			_, err := strconv.Atoi(step)
			if i > 0 && err == nil {
				key += "[" + step + "]"
			} else {
				key = join(key, step)
			}
			if n != nil {
				n = n.child(step)
			}
			if n != nil {
				at = n.at
			}
		}
	}
	return key, at
}

// rule says what a value has to satisfy.
func rule(f validator.FieldError) string {
	param := f.Param()
	if f.Type() == reflect.TypeFor[time.Duration]() {
		if ns, err := strconv.ParseInt(param, 10, 64); err == nil {
			param = time.Duration(ns).String()
		}
	}
	counts := ""
	switch f.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map:
		counts = " elements"
	case reflect.String:
		counts = " characters"
	default:
	}
	switch f.Tag() {
	case "required":
		return "must be set"
	case "gte", "min":
		return "must be at least " + param + counts
	case "lte", "max":
		return "must be at most " + param + counts
	case "gt":
		return "must be more than " + param + counts
	case "lt":
		return "must be less than " + param + counts
	case "oneof":
		return "must be one of " + strings.Join(strings.Fields(param), ", ")
	case "http_url":
		return "must be an http or https URL"
	case "url":
		return "must be a URL"
	}
	if param == "" {
		return fmt.Sprintf("must satisfy %q", f.Tag())
	}
	return fmt.Sprintf("must satisfy %q", f.Tag()+"="+param)
}
