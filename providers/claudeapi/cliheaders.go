package claudeapi

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers"
)

// cliHeaders sends what the installed command line says of itself.
func cliHeaders(pc *ccproxy.PluginContext, c *Config) providers.Transformer {
	detected := providers.NewCLIHeaders(pc, providers.CLIProgram{
		Name: "claude", Args: []string{"-p", "hello"}, Env: cliEnvironment, CacheDir: c.CLIHeadersDir,
		Headers: []string{
			"User-Agent", "X-App", "Anthropic-Beta", "Anthropic-Dangerous-Direct-Browser-Access",
			"X-Stainless-Arch", "X-Stainless-Lang", "X-Stainless-Os", "X-Stainless-Package-Version",
			"X-Stainless-Runtime", "X-Stainless-Runtime-Version",
		},
	})
	detected.Header() // begins to look
	configured := headers(c.Headers)
	return providers.TransformerFunc(func(_ context.Context, req *providers.Request) error {
		if isCLI(req.Call.Header) {
			return nil // it says so itself
		}
		for name, values := range detected.Header() {
			switch {
			case configured[name] != nil:
			case name == betaHeader && req.Call.Header[name] != nil: // what a client asks for is the client's choice
			case name == betaHeader:
				req.Header[name] = append(slices.Clip(values), req.Header[name]...)
			default:
				req.Header[name] = values
			}
		}
		return nil
	})
}

func isCLI(client http.Header) bool {
	return client.Get("X-App") == "cli" || strings.HasPrefix(client.Get("User-Agent"), "claude-cli/")
}

// cliEnvironment has the command line send its request to base, know no login, and talk to nobody else.
func cliEnvironment(base, dir string) []string {
	return []string{
		"ANTHROPIC_BASE_URL=" + base, "ANTHROPIC_API_KEY=none", "CLAUDE_CONFIG_DIR=" + filepath.Join(dir, "config"),
		"HOME=" + dir, "USERPROFILE=" + dir, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_AUTOUPDATER=1",
		"CLAUDE_CODE_MAX_RETRIES=0", "CI=1",
	}
}
