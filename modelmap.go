package ccproxy

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/internal/nearest"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// ModelRule gives a provider another model than the one that the client named. Answers carry the client's name.
type ModelRule struct {
	// Match is compared with the client's model. Required.
	Match string
	// Target is the model that the provider is asked for. Required.
	Target string
	// Kind says how Match is compared: "exact" (the default), "prefix", "suffix" or "regex", which finds a match
	// anywhere in the name unless it is anchored.
	Kind string
	// IgnoreCase compares without regard to case.
	IgnoreCase bool
}

// modelMap is the rules of one provider. The first that matches counts.
type modelMap []compiledRule

type compiledRule struct {
	target  string
	matches func(model string) bool
}

// target is the model to ask for, or "" where no rule matches.
func (m modelMap) target(model string) string {
	for _, rule := range m {
		if rule.matches(model) {
			return rule.target
		}
	}
	return ""
}

// compileRules makes a map of rules; where names the list in errors.
func compileRules(where string, rules []ModelRule) (modelMap, error) {
	var errs []error
	m := make(modelMap, 0, len(rules))
	for i, rule := range rules {
		matches, err := rule.compile()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s[%d]: %w", where, i, err))
			continue
		}
		m = append(m, compiledRule{rule.Target, matches})
	}
	return m, errors.Join(errs...)
}

func (r ModelRule) compile() (func(string) bool, error) {
	switch {
	case r.Match == "":
		return nil, fmt.Errorf("match: must not be empty: %w", ErrConfig)
	case r.Target == "":
		return nil, fmt.Errorf("target: must not be empty: %w", ErrConfig)
	}
	match, fold := r.Match, func(s string) string { return s }
	if r.IgnoreCase {
		fold = strings.ToLower
		match = fold(match)
	}
	switch r.Kind {
	case "", "exact":
		return func(s string) bool { return fold(s) == match }, nil
	case "prefix":
		return func(s string) bool { return strings.HasPrefix(fold(s), match) }, nil
	case "suffix":
		return func(s string) bool { return strings.HasSuffix(fold(s), match) }, nil
	case "regex":
		pattern := r.Match
		if r.IgnoreCase {
			pattern = "(?i)" + pattern
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("match: %w: %w", ErrConfig, err)
		}
		return re.MatchString, nil
	default:
		return nil, fmt.Errorf("kind: %q is none of exact, prefix, suffix and regex: %w", r.Kind, ErrConfig)
	}
}

// modelMaps compiles the rules of all providers that run, by the providers' names.
func modelMaps(s Settings, pl *plan) (map[string]modelMap, error) {
	out := make(map[string]modelMap)
	var errs []error
	for _, plugin := range pl.resolution.Order {
		for _, spec := range pl.plugins[plugin].manifest.Providers {
			name := spec.name(plugin)
			where, rules := "rules of provider "+name, spec.ModelRules
			if own, ok := s.ModelMappings[name]; ok {
				where, rules = "model_mappings."+name, own
			}
			m, err := compileRules(where, rules)
			if err != nil {
				errs = append(errs, &PluginError{Plugin: plugin, Op: "configure", Err: err})
			}
			out[name] = m
		}
	}
	errs = append(errs, unknownMappings(s, pl)...)
	return out, errors.Join(errs...)
}

// unknownMappings finds rules of providers that no registered plugin has.
func unknownMappings(s Settings, pl *plan) []error {
	known := pl.providerNames()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.ModelMappings)) {
		if slices.Contains(known, name) {
			continue
		}
		hint := nearest.Hint(name, known)
		errs = append(errs, fmt.Errorf("model_mappings.%s: no such provider%s: %w", name, hint, ErrConfig))
	}
	return errs
}

// mapModel puts the provider's name of the model into the call, and leaves all else of the body as it is.
func (p *pipeline) mapModel(doc *rawjson.Doc, call *Call) {
	if call.Model == "" {
		return
	}
	if target := p.proxy.models[p.name].target(call.Model); target != "" {
		call.Model = target
	}
	if call.Model == call.ClientModel {
		return
	}
	call.mapped = call.Model
	call.Body = doc.Set("model", rawjson.AppendString(nil, call.Model))
}
