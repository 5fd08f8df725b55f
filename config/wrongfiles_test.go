package config_test

import "strings"

// wrongFile is a file with every line of what Load says about it. "F" stands for the file's path.
type wrongFile struct {
	name, src string
	want      []string
}

// wrongSyntax are files that are no TOML.
func wrongSyntax() []wrongFile {
	return []wrongFile{
		{"no value", "[server]\nport =\n", []string{"F:2:7: unexpected character U+000A at start of value"}},
		{"no equals sign", "server\n", []string{"F:1:7: expected '=' after key"}},
		{"open header", "\n[server\n", []string{"F:2:8: expected ']' to close table name"}},
		{"open string", "[server]\nhost = \"a\n", []string{"F:2:10: basic strings cannot have new lines"}},
		{"bare word", "[plugins.wide]\ntoken = " + secretValue + "\n", []string{
			"F:2:9: unexpected character U+0073 's' at start of value",
		}},
		{"bad float", "[plugins.wide]\nratio = 1e999\n", []string{"F:2:9: unable to parse float"}},
		{"table twice", "[server]\n\n[server]\n", []string{"F:3:2: table server already exists"}},
		{"key twice", "[server]\nport = 1\nport = 2\n", []string{"F:3:1: key port is already defined"}},
		{"after wide characters", `security.origins = ["ü€😀", x]` + "\n", []string{
			"F:1:28: unexpected character U+0078 'x' at start of value",
		}},
	}
}

// unknownKeys are files with keys that the core does not have.
func unknownKeys() []wrongFile {
	return []wrongFile{
		{"key", "[server]\nprot = 1\n", []string{`F:2:1: server.prot: unknown key (did you mean "port"?)`}},
		{"key of a dotted path", "server.prot = 1\n", []string{`F:1:8: server.prot: unknown key (did you mean "port"?)`}},
		{"key of an inline table", "server = {host = \"a\", prot = 1}\n", []string{
			`F:1:23: server.prot: unknown key (did you mean "port"?)`,
		}},
		{"key with capitals", "[server]\nPort = 1\n", []string{`F:2:1: server.Port: unknown key (did you mean "port"?)`}},
		{"nothing near", "[server]\ncompletely_different = 1\n", []string{"F:2:1: server.completely_different: unknown key"}},
		{"quoted key", "[server]\n\"a b\" = 1\n", []string{`F:2:1: server."a b": unknown key`}},
		{"table", "[sever]\nport = 1\n", []string{`F:1:2: sever: unknown key (did you mean "server"?)`}},
		{"root key", "enable_plugin = true\n", []string{
			`F:1:1: enable_plugin: unknown key (did you mean "enable_plugins"?)`,
		}},
		{"singular", "[plugin.wide]\n", []string{`F:1:2: plugin: unknown key (did you mean "plugins"?)`}},
		{"feature", "[features]\nmanifest_format_adapter = true\n", []string{
			`F:2:1: features.manifest_format_adapter: unknown key (did you mean "manifest_format_adapters"?)`,
		}},
		{"limit", "[limits]\nbody_byte = 1\n", []string{
			`F:2:1: limits.body_byte: unknown key (did you mean "body_bytes"?)`,
		}},
		{"key of a second table of a list", "[[security.api_keys]]\nname = 'ü'\nkey = 'first-of-two'\n\n[[security.api_keys]]\n" +
			"name = 'b'\nkey = 'second-of-two'\nmodel = []\n", []string{
			`F:8:1: security.api_keys[1].model: unknown key (did you mean "models"?)`,
		}},
		{"after a byte order mark", "\ufeffenable_plugin = true\n", []string{
			`F:1:1: enable_plugin: unknown key (did you mean "enable_plugins"?)`,
		}},
		{"with carriage returns", "[server]\r\n\r\nprot = 1\r\n", []string{
			`F:3:1: server.prot: unknown key (did you mean "port"?)`,
		}},
	}
}

// unknownPluginKeys are files with keys that plugins do not have, and plugins that do not exist.
func unknownPluginKeys() []wrongFile {
	return []wrongFile{
		{"plugin's key", "[plugins.wide]\nbase_rul = \"\"\n", []string{
			`F:2:1: plugins.wide.base_rul: unknown key (did you mean "base_url"?)`,
		}},
		{"plugin's nested key", "[plugins.wide.nested]\n  deeep = 1\n", []string{
			`F:2:3: plugins.wide.nested.deeep: unknown key (did you mean "deep"?)`,
		}},
		{"key of a list's table", "[[plugins.wide.items]]\n[plugins.wide.items.inner]\ndep = 1\n", []string{
			`F:3:1: plugins.wide.items[0].inner.dep: unknown key (did you mean "deep"?)`,
		}},
		{"key of a map's table", "[plugins.wide.instances.\"a.b\"]\ndep = 1\n", []string{
			`F:2:1: plugins.wide.instances."a.b".dep: unknown key (did you mean "deep"?)`,
		}},
		{"key that is not decoded", "[plugins.wide]\nignored = \"\"\n", []string{"F:2:1: plugins.wide.ignored: unknown key"}},
		{"plugin without keys", "[plugins.plain]\nkey = 1\n", []string{"F:2:1: plugins.plain.key: unknown key"}},
		{"misspelled enabled", "[plugins.plain]\nenabeld = true\n", []string{
			`F:2:1: plugins.plain.enabeld: unknown key (did you mean "enabled"?)`,
		}},
		{"plugin that is off", "[plugins.spare]\napi_kye = 1\n", []string{
			`F:2:1: plugins.spare.api_kye: unknown key (did you mean "api_key"?)`,
		}},
		{"unknown plugin", "[plugins.wied]\nflag = true\n", []string{
			`F:1:10: plugins.wied: no plugin of this name is registered (did you mean "wide"?)`,
		}},
		{"unknown names in lists", "enabled_plugins = [\"wide\", \"plian\"]\ndisabled_plugins = [\n  \"x_y_z_unlike\",\n]\n", []string{
			`F:1:28: enabled_plugins[1]: no plugin "plian" is registered (did you mean "plain"?)`,
			`F:3:3: disabled_plugins[0]: no plugin "x_y_z_unlike" is registered`,
		}},
	}
}

// wrongTypes are files with values of a type that the key does not take.
func wrongTypes() []wrongFile {
	const seconds = `a number of seconds or a string such as "1m30s"`
	const levels = "one of trace, debug, info, warn, error, critical"
	return []wrongFile{
		{"string for int", "[server]\nport = \"80\"\n", []string{"F:2:8: server.port: is a string, must be a whole number"}},
		{"float for int", "[server]\nport = 80.5\n", []string{"F:2:8: server.port: is a number, must be a whole number"}},
		{"int for string", "[server]\nhost = 1\n", []string{"F:2:8: server.host: is a whole number, must be a string"}},
		{"int for bool", "enable_plugins = 1\n", []string{
			"F:1:18: enable_plugins: is a whole number, must be true or false",
		}},
		{"string for list", "enabled_plugins = \"wide\"\n", []string{"F:1:19: enabled_plugins: is a string, must be a list"}},
		{"string for table", "server = \"a\"\n", []string{"F:1:10: server: is a string, must be a table"}},
		{"list for table", "[[server]]\nport = 1\n", []string{"F:1:3: server: is a list, must be a table"}},
		{"table for string", "[server.host]\n", []string{"F:1:9: server.host: is a table, must be a string"}},
		{"plugins", "plugins = []\n", []string{"F:1:11: plugins: is a list, must be a table"}},
		{"plugin", "plugins.wide = true\n", []string{"F:1:16: plugins.wide: is true or false, must be a table"}},
		{"enabled", "[plugins.wide]\nenabled = \"yes\"\n", []string{
			"F:2:11: plugins.wide.enabled: is a string, must be true or false",
		}},
		{"bool for duration", "[plugins.wide]\nwait = true\n", []string{
			"F:2:8: plugins.wide.wait: is true or false, must be " + seconds,
		}},
		{"text for duration", "[plugins.wide]\nwait = \"soon\"\n", []string{"F:2:8: plugins.wide.wait: must be " + seconds}},
		{"int for secret", "[plugins.wide]\ntoken = 12345678\n", []string{
			"F:2:9: plugins.wide.token: is a whole number, must be a string",
		}},
		{"placeholder for secret", "[plugins.wide]\ntoken = \"[REDACTED]\"\n", []string{
			"F:2:9: plugins.wide.token: is the placeholder that stands for a secret, not the secret",
		}},
		{"element", "[plugins.wide]\ntags = [\n  \"a\", # fine\n  5,\n]\n", []string{
			"F:4:3: plugins.wide.tags[1]: is a whole number, must be a string",
		}},
		{"level", "logging.level = \"loud\"\n", []string{"F:1:17: logging.level: must be " + levels}},
		{"date for int", "[plugins.wide]\ncount = 2020-01-01\n", []string{
			"F:2:9: plugins.wide.count: is a date or time, must be a whole number",
		}},
		{"text for a time", "[plugins.wide]\nsince = \"" + secretValue + "\"\n", []string{
			"F:2:9: plugins.wide.since: is not a valid value",
		}},
		{"too many", "[plugins.wide]\npair = [1, 2, 3]\n", []string{
			"F:2:8: plugins.wide.pair: has 3 elements, takes at most 2",
		}},
	}
}

// wrongValues are files with values that are out of range or missing.
func wrongValues() []wrongFile {
	return []wrongFile{
		{"int8", "[plugins.wide]\nsmall = 128\n", []string{"F:2:9: plugins.wide.small: is too large or too small"}},
		{"negative", "[plugins.wide]\nsize = -1\n", []string{"F:2:8: plugins.wide.size: must not be negative"}},
		{"huge duration", "[plugins.wide]\nwait = 10000000000\n", []string{
			"F:2:8: plugins.wide.wait: is too large or too small",
		}},
		{"huge negative duration", "[plugins.wide]\nwait = -10000000000\n", []string{
			"F:2:8: plugins.wide.wait: is too large or too small",
		}},
		{"huge negative fraction", "[plugins.wide]\nwait = -1e300\n", []string{
			"F:2:8: plugins.wide.wait: is too large or too small",
		}},
		{"endless duration", "[plugins.wide]\nwait = inf\n", []string{"F:2:8: plugins.wide.wait: is too large or too small"}},
		{"not even a duration", "[plugins.wide]\nwait = nan\n", []string{
			"F:2:8: plugins.wide.wait: is too large or too small",
		}},
		{"port", "[server]\nport = 65536\n", []string{"F:2:8: server.port: must be at most 65535"}},
		{"format", "[logging]\nformat = \"xml\"\n", []string{
			"F:2:10: logging.format: must be one of auto, json, plain, rich",
		}},
		{"public URL", "[server]\npublic_url = \"ftp://a\"\n", []string{
			"F:2:14: server.public_url: must be an http or https URL",
		}},
		{"public URL with a query", "[server]\npublic_url = \"http://a/?b=c\"\n", []string{
			"F:2:14: server.public_url: must have no query, fragment or user",
		}},
		{"negative limit", "[limits]\nwrite_timeout = -1\n", []string{"F:2:17: limits.write_timeout: must not be negative"}},
		{"plugin's required", "[plugins.wide]\nname = \"\"\n", []string{"F:2:8: plugins.wide.name: must be set"}},
		{"plugin's length", "[plugins.wide]\nname = \"" + strings.Repeat("x", 41) + "\"\n", []string{
			"F:2:8: plugins.wide.name: must be at most 40 characters",
		}},
		{"plugin's number of elements", "[plugins.wide]\ntags = [\"a\", \"b\", \"c\", \"d\"]\n", []string{
			"F:2:8: plugins.wide.tags: must be at most 3 elements",
		}},
		{"plugin's choice", "[plugins.wide]\nmode = \"warp\"\n", []string{"F:2:8: plugins.wide.mode: must be one of slow, fast"}},
		{"plugin's duration", "[plugins.wide]\nwait = \"2h\"\n", []string{"F:2:8: plugins.wide.wait: must be at most 1h0m0s"}},
		{"plugin's element", "[plugins.wide]\ntags = [\"a\", \"\"]\n", []string{"F:2:14: plugins.wide.tags[1]: must be set"}},
		{"plugin's list of tables", "[[plugins.wide.items]]\n[[plugins.wide.items]]\ndeep = 101\n", []string{
			"F:3:8: plugins.wide.items[1].deep: must be at most 100",
		}},
		{"what is missing, at the table", "# a comment\n[plugins.spare]\nenabled = true\n", []string{
			"F:2:10: plugins.spare.api_key: must be set",
		}},
		{"what is missing, without a table", "enabled_plugins = [\"spare\"]\n", []string{
			"F: plugins.spare.api_key: must be set",
		}},

		{"what is missing, beside an unknown key", "[plugins.spare]\nenabled = true\napi_kye = \"\"\n", []string{
			"F:1:10: plugins.spare.api_key: must be set",
			`F:3:1: plugins.spare.api_kye: unknown key (did you mean "api_key"?)`,
		}},
		{"a list and its element", "[plugins.wide]\ntags = [5, \"b\", \"c\", \"d\"]\n", []string{
			"F:2:8: plugins.wide.tags: must be at most 3 elements",
			"F:2:9: plugins.wide.tags[0]: is a whole number, must be a string",
		}},
	}
}

// wrongSecurity are files that would let nobody in, or anybody.
func wrongSecurity() []wrongFile {
	const host = "want a DNS name or an address, perhaps with a port; " +
		"an IPv6 address stands in brackets, an international name in its xn-- form"
	return []wrongFile{
		{"empty token", "[security]\nauth_token = \"\"\n", []string{
			"F:2:14: security.auth_token: must not be empty: leave it out to serve everybody",
		}},
		{"short token", "[security]\nauth_token = \"sk-do\"\n", []string{
			"F:2:14: security.auth_token: the value is shorter than 8 characters",
		}},
		{"token of a manual", "security.auth_token = \"your-api-key\"\n", []string{
			"F:1:23: security.auth_token: the value is a sample as documentation shows it; make a random one",
		}},
		{"token that nothing filled in", "security = { auth_token = \"${TOKEN_OF_MINE}\" }\n", []string{
			"F:1:27: security.auth_token: the value is the name of a variable or field that nothing filled in",
		}},
		{"key without a value", "[[security.api_keys]]\nname = \"a\"\n", []string{
			"F:1:12: security.api_keys[0].key: must be set",
		}},
		{"key without a name", "[[security.api_keys]]\nkey = \"" + secretValue + "\"\n", []string{
			"F:1:12: security.api_keys[0].name: must be set",
		}},
		{"key that is too short, without a name", "[[security.api_keys]]\nkey = \"a\"\n", []string{
			"F:1:12: security.api_keys[0].name: must be set",
			"F:2:7: security.api_keys[0].key: the value is shorter than 8 characters",
		}},
		{"key of another type", "[[security.api_keys]]\nname = \"a\"\nkey = 5\n", []string{
			"F:3:7: security.api_keys[0].key: is a whole number, must be a string",
		}},
		{"key with a space", "[[security.api_keys]]\nname = \"a\"\nkey = \"" + secretValue + " \"\n", []string{
			"F:3:7: security.api_keys[0].key: the value has spaces or other characters that a header cannot carry",
		}},
		{"name that logs would garble", "[[security.api_keys]]\nname = \"a\\n\"\nkey = \"" + secretValue + "\"\n", []string{
			"F:2:8: security.api_keys[0].name: a name must be printable text",
		}},
		{
			"name that gives the key away", "[[security.api_keys]]\nname = \"" + secretValue + "\"\nkey = \"" + secretValue + "\"\n",
			[]string{"F:3:7: security.api_keys[0].key: the name holds the value, but names appear in logs"},
		},
		{"keys that are the same", "[[security.api_keys]]\nname = \"a\"\nkey = \"" + secretValue +
			"\"\n[[security.api_keys]]\nname = \"a\"\nkey = \"" + secretValue + "\"\n", []string{
			"F:5:8: security.api_keys[1].name: is the name of another key",
			"F:6:7: security.api_keys[1].key: is the same as another key",
		}},
		{"key like the token", "security.auth_token = \"" + secretValue + "\"\n[[security.api_keys]]\nname = \"auth_token\"\n" +
			"key = \"" + secretValue + "\"\n", []string{
			"F:3:8: security.api_keys[0].name: is the name of another key",
			"F:4:7: security.api_keys[0].key: is the same as another key",
		}},
		{"no host at all", "security.hosts = []\n", []string{
			"F:1:18: security.hosts: must not be empty: leave it out to go by any name",
		}},
		{"hosts", "[security]\nhosts = [\n  \"a.example\",\n  \"http://b.example\",\n  \"::1\",\n  \"\",\n  7,\n]\n", []string{
			"F:4:3: security.hosts[1]: " + host,
			"F:5:3: security.hosts[2]: " + host,
			"F:6:3: security.hosts[3]: " + host,
			"F:7:3: security.hosts[4]: is a whole number, must be a string",
		}},
		{"origins", "[security]\norigins = [\n  \"https://a.example\",\n  \"a.example\",\n  \"null\",\n  \"https://*.*.example\",\n]\n", []string{
			`F:4:3: security.origins[1]: want scheme://host or scheme://host:port, without a path; ` +
				`the host may begin with "*." or the port be "*"`,
			"F:5:3: security.origins[2]: is refused: every sandboxed page has it",
			"F:6:3: security.origins[3]: more than one wildcard",
		}},
		{"negative age", "security.cors_max_age = -1\n", []string{
			"F:1:25: security.cors_max_age: must be at least 0s",
		}},
	}
}

// obsoleteKeys are files of earlier versions.
func obsoleteKeys() []wrongFile {
	return []wrongFile{
		{"pushgateway", "[scheduler]\nenabled = true\npushgateway_url = \"a\"\n", []string{
			"F:2:1: scheduler.enabled: obsolete key: tasks belong to plugins now: use the keys of their tables",
			"F:3:1: scheduler.pushgateway_url: obsolete key: use [plugins.metrics]",
		}},
		{"observability", "[observability]\n", []string{
			"F:1:2: observability: obsolete table: use [plugins.metrics], [plugins.otel] and [plugins.access_log]",
		}},
		{"observability's keys", "observability.a.b = 1\n", []string{
			"F:1:15: observability.a: obsolete key: use [plugins.metrics], [plugins.otel] and [plugins.access_log]",
		}},
		{"CORS", "[cors]\norigins = [\"*\"]\norigin_regex = \"a\"\nmax_age = 1\ncredentials = true\nmethods = []\n", []string{
			"F:2:1: cors.origins: obsolete key: use security.origins",
			"F:3:1: cors.origin_regex: obsolete key: use security.origins, which may have wildcards",
			"F:4:1: cors.max_age: obsolete key: use security.cors_max_age",
			"F:5:1: cors.credentials: obsolete key: pages send keys in headers, which need no such leave",
			"F:6:1: cors.methods: obsolete key: those that the vendors' clients need are known; see security.origins",
		}},
		{"CORS without keys", "[cors]\n", []string{
			"F:1:2: cors: obsolete table: those that the vendors' clients need are known; see security.origins",
		}},
		{"workers", "[server]\nworkers = 4\n", []string{
			"F:2:1: server.workers: obsolete key: one process uses all processors",
		}},
	}
}

// manyMistakes is a file with one of each, which are told in the file's order.
func manyMistakes() []wrongFile {
	return []wrongFile{
		{"many", `
enable_plugins = "yes"
[plugins.wied]
[plugins.wide]
token = 5
base_rul = "` + secretValue + `"
name = ""
[plugins.spare]
enabled = true
[server]
port = -1
hots = "a"
`, []string{
			`F:2:18: enable_plugins: is a string, must be true or false`,
			`F:3:10: plugins.wied: no plugin of this name is registered (did you mean "wide"?)`,
			`F:5:9: plugins.wide.token: is a whole number, must be a string`,
			`F:6:1: plugins.wide.base_rul: unknown key (did you mean "base_url"?)`,
			`F:7:8: plugins.wide.name: must be set`,
			`F:8:10: plugins.spare.api_key: must be set`,
			`F:11:8: server.port: must be at least 0`,
			`F:12:1: server.hots: unknown key (did you mean "host"?)`,
		}},
	}
}
