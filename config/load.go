package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/internal/nearest"
)

// Options says where the configuration is looked for. The zero value is what a program without flags wants.
type Options struct {
	// Path is the file, as from a flag. Empty means the variable CONFIG_FILE, and without that the first that is
	// there of .ccproxy.toml and ccproxy.toml in Dir, the same two in the root of Dir's git repository, and
	// ccproxy/config.toml in $XDG_CONFIG_HOME, which defaults to ~/.config. No file at all is not an error.
	Path string
	// Dir is where the search begins, and what a relative path is relative to. Empty means the working directory.
	Dir string
	// Environ holds the environment as NAME=VALUE. Nil means os.Environ.
	Environ []string
	// Override holds values by their full key, such as "server.port". They win over everything else. A string is
	// read as the value of an environment variable is, so that flags need not know the types of keys.
	Override map[string]any
	// KeyVariables are the well-known variables. Nil means those of [KeyVariables].
	KeyVariables []KeyVariable
	// InCode names the plugins that the application gives a configuration to with [ccproxy.WithPluginConfig]. Their
	// tables may only hold keys that exist, and need not be complete.
	InCode []string
}

func (o Options) environ() []string {
	if o.Environ == nil {
		return os.Environ()
	}
	return o.Environ
}

// loader is one run of Load.
type loader struct {
	decoder
	options  Options
	environ  []string
	file     Origin // the file as a whole; the zero Origin without a file
	registry *ccproxy.Registry
	plugins  map[string]*plugin
	shape    shape
	tree     *node
	document *document
	warnings []string
}

// Load finds, reads and checks the configuration. Its error is a [KeyErrors] with all that is wrong, in the file, the
// environment and the override, or tells that there is no file of the name that was given; it wraps
// [ccproxy.ErrConfig] in any case. What Load returns, the registry's Build takes, unless two plugins claim one route.
//
// Nothing but this package reads files of configuration and the environment.
func Load(reg *ccproxy.Registry, o Options) (*File, error) {
	if reg == nil {
		reg = new(ccproxy.Registry)
	}
	l := &loader{options: o, environ: o.environ(), registry: reg, document: defaults()}
	content, err := l.read()
	if err != nil {
		return nil, err
	}
	l.findPlugins()
	l.applyEnvironment()
	l.applyOverride()
	l.decode()
	s := l.settings()
	if err := l.mistakes.err(); err != nil {
		return nil, err
	}
	origins := l.origins()
	return &File{
		Path: l.file.File, Server: l.document.Server, Logging: l.document.Logging,
		Settings: s, Warnings: l.warnings, origins: origins, entries: l.listEntries(origins), content: content,
	}, nil
}

func (l *loader) warnf(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// read finds and parses the file.
func (l *loader) read() (digest, error) {
	l.tree = newNode(map[string]any{}, Origin{})
	path := find(l.options, l.environ)
	if path == "" {
		return digest{}, nil
	}
	content, warning, err := read(path)
	if err != nil {
		return digest{}, err
	}
	if warning != "" {
		l.warnf("%s", warning)
	}
	l.file = Origin{Source: SourceFile, File: path}
	tree, mistake := parseTOML(path, content)
	if mistake != nil {
		return digest{}, KeyErrors{mistake}
	}
	l.tree = tree
	return sha256.Sum256(content), nil
}

func (l *loader) findPlugins() {
	l.plugins = make(map[string]*plugin)
	for _, m := range l.registry.Manifests() {
		p, err := newPlugin(m)
		if err != nil {
			err.Origin = l.file
			l.mistakes = append(l.mistakes, err)
			p = &plugin{manifest: m}
		}
		l.plugins[m.Name] = p
	}
	l.shape = documentShape(l.plugins)
}

func (l *loader) names() []string { return slices.Sorted(maps.Keys(l.plugins)) }

func (l *loader) inCode(plugin string) bool { return slices.Contains(l.options.InCode, plugin) }

// decode checks the whole tree.
func (l *loader) decode() {
	l.fields(l.tree, reflect.ValueOf(l.document).Elem(), l.shape, "")
	check := newChecker()
	for _, e := range check.check(l.document, l.tree, "", l.file) {
		if !l.mistakes.about(e.Key) {
			l.mistakes = append(l.mistakes, e)
		}
	}
	l.checkCore()
	if tables := l.tree.lookup("plugins"); tables != nil {
		l.decodePlugins(tables)
	}
}

func (l *loader) decodePlugins(tables *node) {
	if tables.table == nil {
		l.failf(tables.at, "plugins", "is %s, must be a table", tables.kind())
		return
	}
	for _, name := range tables.keys() {
		table, key := tables.table[name], join("plugins", name)
		p := l.plugins[name]
		if p == nil {
			l.failf(table.origin, key, "no plugin of this name is registered%s", nearest.Hint(name, l.names()))
			continue
		}
		l.fields(table, p.config, l.shape.children()["plugins"].extra[name], key)
		if on := table.lookup(enabledKey); on != nil {
			var ignored bool
			l.value(on, reflect.ValueOf(&ignored), join(key, enabledKey))
		}
	}
}

// at returns the place of a key's value, or the file.
func (l *loader) at(path ...string) Origin {
	if n := l.tree.lookup(path...); n != nil {
		return n.at
	}
	return l.file
}

// checkCore checks what no tag can say.
func (l *loader) checkCore() {
	d := l.document
	if u, err := url.Parse(d.Server.PublicURL); err == nil && (u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		l.failf(l.at("server", "public_url"), "server.public_url", "must have no query, fragment or user")
	}
	l.checkSecurity()
	l.checkNumbers("limits", l.document.Limits)
	l.checkNumbers("streams", l.document.Streams)
	l.checkPluginNames("enabled_plugins")
	l.checkPluginNames("disabled_plugins")
}

// checkNumbers refuses negative numbers in a section that has a default for zero.
func (l *loader) checkNumbers(section string, values any) {
	v := reflect.ValueOf(values)
	fields, _ := fieldsOf(v.Type())
	for _, f := range fields {
		if number := v.FieldByIndex(f.index); number.CanInt() && number.Int() < 0 {
			l.failf(l.at(section, f.key), join(section, f.key), "must not be negative")
		}
	}
}

// settings asks the registry what it makes of the settings, so that both agree, and finds the places of what it
// does not like.
func (l *loader) settings() ccproxy.Settings {
	s, asked := l.document.settings(), l.document.settings()
	s.Plugins, asked.Plugins = make(map[string]map[string]any), make(map[string]map[string]any)
	unknown := func(name string) bool { return l.plugins[name] == nil }
	asked.EnabledPlugins = slices.DeleteFunc(asked.EnabledPlugins, unknown)
	asked.DisabledPlugins = slices.DeleteFunc(asked.DisabledPlugins, unknown)
	for name := range l.plugins {
		table := l.tree.lookup("plugins", name)
		if table == nil || table.table == nil {
			continue
		}
		s.Plugins[name] = table.plainTable()
		asked.Plugins[name] = s.Plugins[name]
		if l.mistakes.within(join("plugins", name)) {
			asked.Plugins[name] = onlyEnabled(table)
		}
	}
	resolution, err := l.registry.ResolveDependencies(asked)
	l.validatePlugins(resolution)
	l.addBuildErrors(err)
	return s
}

// onlyEnabled is a plugin's table without what may be wrong.
func onlyEnabled(table *node) map[string]any {
	if on := table.lookup(enabledKey); on != nil && (on.value == true || on.value == false) {
		return map[string]any{enabledKey: on.value}
	}
	return nil
}

// validatePlugins checks the values of the plugins that are switched on.
func (l *loader) validatePlugins(r ccproxy.Resolution) {
	off := make(map[string]bool)
	for _, s := range r.Skipped {
		off[s.Plugin] = errors.Is(s.Reason, ccproxy.ErrDisabled)
	}
	check := newChecker()
	for _, name := range l.names() {
		p := l.plugins[name]
		if off[name] || l.inCode(name) || !p.config.IsValid() {
			continue
		}
		table := l.tree.lookup("plugins", name)
		found := check.check(p.config.Addr().Interface(), table, join("plugins", name), l.file)
		known := l.mistakes
		for _, e := range found {
			if !known.about(e.Key) {
				l.mistakes = append(l.mistakes, e)
			}
		}
	}
}

// addBuildErrors adds what only the plugins themselves could find wrong.
func (l *loader) addBuildErrors(err error) {
	for _, e := range split(err) {
		p, ok := errors.AsType[*ccproxy.PluginError](e)
		switch {
		case !ok || p.Op != "configure" || l.inCode(p.Plugin):
			continue
		case l.mistakes.within(join("plugins", p.Plugin)):
			continue
		}
		key := join("plugins", p.Plugin)
		text := strings.TrimPrefix(p.Err.Error(), key+": ")
		text = strings.TrimSuffix(text, ": "+ccproxy.ErrConfig.Error())
		l.failf(l.at("plugins", p.Plugin), key, "%s", text)
	}
}

// split returns the errors that were joined.
func split(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, split(e)...)
	}
	return all
}
