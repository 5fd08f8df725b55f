package config

import "strings"

// obsolete is a key of earlier configurations, with what to use in its place. A pattern that ends in "*" stands for
// all keys that begin so.
type obsolete struct{ pattern, instead string }

func obsoleteTable() []obsolete {
	const inCode = "a matter of the application's code now"
	return []obsolete{
		{"scheduler.pushgateway_*", "use [plugins.metrics]"},
		{"scheduler.pricing_update_*", "use [plugins.pricing]"},
		{"scheduler.*", "tasks belong to plugins now: use the keys of their tables"},
		{"observability.*", "use [plugins.metrics], [plugins.otel] and [plugins.access_log]"},
		{"server.workers", "one process uses all processors"},
		{"server.reload", "the file is watched while the server runs"},
		{"server.bypass_mode", "use the plugin echo, which answers without an upstream"},
		{"logging.file", "redirect the output of the program"},
		{"logging.verbose_api", `use [plugins.request_tracer]`},
		{"logging.request_log_dir", `use [plugins.request_tracer]`},
		{"logging.plugin_log_base_dir", "use the keys of the plugins' tables"},
		{"security.confirmation_timeout_seconds", "use [plugins.permissions]"},
		{"cors.origins", "use security.origins"},
		{"cors.origin_regex", "use security.origins, which may have wildcards"},
		{"cors.max_age", "use security.cors_max_age"},
		{"cors.credentials", "pages send keys in headers, which need no such leave"},
		{"cors.*", "those that the vendors' clients need are known; see security.origins"},
		{"plugins_disable_local_discovery", "plugins are compiled in"},
		{"plugin_discovery.*", "plugins are compiled in"},
		{"http.*", inCode},
		{"auth.*", "use the tables of the oauth plugins"},
		{"binary.*", "use the tables of the plugins that run programs"},
		{"llm.*", inCode},
	}
}

// instead returns what replaces an obsolete key.
func instead(key string) (string, bool) {
	for _, o := range obsoleteTable() {
		prefix, many := strings.CutSuffix(o.pattern, "*")
		if key == o.pattern || many && strings.HasPrefix(key, prefix) {
			return o.instead, true
		}
	}
	return "", false
}

// obsoleteKeys returns an error for each obsolete key at or below an unknown one.
func obsoleteKeys(n *node, key string) KeyErrors {
	if text, ok := instead(key); ok {
		return KeyErrors{{Origin: n.origin, Key: key, Problem: "obsolete key: " + text}}
	}
	if n.table == nil {
		return nil
	}
	if len(n.table) == 0 {
		if text, ok := instead(key + "."); ok {
			return KeyErrors{{Origin: n.origin, Key: key, Problem: "obsolete table: " + text}}
		}
	}
	var found KeyErrors
	for _, name := range n.keys() {
		found = append(found, obsoleteKeys(n.table[name], join(key, name))...)
	}
	return found
}
