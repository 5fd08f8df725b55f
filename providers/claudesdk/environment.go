package claudesdk

import (
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// passedEnv are the variables of this process that a CLI needs, or that say whose account it uses. All others stay
// out of its reach, since they may hold secrets and it runs programs.
func passedEnv() []string {
	return []string{
		"ALL_PROXY", "ANTHROPIC_*", "APPDATA", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CONFIG_DIR", "COMSPEC", "HOME",
		"HOMEDRIVE", "HOMEPATH", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LC_*", "LOCALAPPDATA", "LOGNAME",
		"NODE_EXTRA_CA_CERTS", "NO_PROXY", "OS", "PATH", "PATHEXT", "PROGRAMDATA", "PROGRAMFILES", "SHELL",
		"SSL_CERT_DIR", "SSL_CERT_FILE", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TERM", "TMP", "TMPDIR", "TZ", "USER",
		"USERNAME", "USERPROFILE", "WINDIR", "XDG_*", "http_proxy", "https_proxy", "no_proxy",
	}
}

// ownEnv keeps the CLI to what it is asked. Attachments are off because a text such as "@/etc/passwd" would otherwise
// put that file into the conversation, whoever wrote it and whatever tools are allowed. What the CLI does between two
// requests nobody could be told of.
func ownEnv() []string {
	return []string{
		"CLAUDE_CODE_DISABLE_ATTACHMENTS=1", "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS=1", "CLAUDE_CODE_DISABLE_CRON=1",
		"CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK=1", "CLAUDE_CODE_DISABLE_TERMINAL_TITLE=1", "DISABLE_AUTOUPDATER=1",
	}
}

// environment is that of the CLIs.
func (c *Config) environment() []string {
	patterns := append(passedEnv(), c.PassEnv...)
	var env []string
	for _, entry := range new(exec.Cmd).Environ() { // what any program started by this process would get
		name, _, _ := strings.Cut(entry, "=")
		if slices.ContainsFunc(patterns, func(p string) bool { return matchesName(p, name) }) {
			env = append(env, entry)
		}
	}
	env = append(env, ownEnv()...)
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		env = append(env, name+"="+c.Env[name]) // of two with one name the last counts
	}
	return lastOfEach(env)
}

func matchesName(pattern, name string) bool {
	if runtime.GOOS == "windows" {
		pattern, name = strings.ToUpper(pattern), strings.ToUpper(name)
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return name == pattern
}

// lastOfEach keeps of variables with equal names the last.
func lastOfEach(env []string) []string {
	seen := make(map[string]bool, len(env))
	out := env[:0:0]
	for _, entry := range slices.Backward(env) {
		name, _, _ := strings.Cut(entry, "=")
		if !seen[name] {
			seen[name] = true
			out = append(out, entry)
		}
	}
	slices.Reverse(out)
	return out
}

// arguments are those that do not depend on a request.
func (c *Config) arguments() []string {
	args := []string{
		"--print", "--verbose", "--input-format=stream-json", "--output-format=stream-json",
		"--include-partial-messages", "--permission-prompt-tool=stdio", "--no-session-persistence",
		"--strict-mcp-config", "--disable-slash-commands", "--setting-sources=" + strings.Join(c.SettingSources, ","),
	}
	if c.MCPConfig != "" {
		args = append(args, "--mcp-config="+c.MCPConfig)
	}
	return append(args, c.ExtraArgs...)
}
