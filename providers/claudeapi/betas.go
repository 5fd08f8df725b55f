package claudeapi

import (
	"context"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy/providers"
)

const (
	betaHeader = "Anthropic-Beta"
	// betaOAuth makes Anthropic's API take the tokens of accounts.
	betaOAuth = "oauth-2025-04-20"
)

// betas are those that every request has.
func (c *Config) betas() []string {
	betas := slices.Clone(c.Betas)
	if c.usesOAuth() && !slices.Contains(betas, betaOAuth) {
		betas = append(betas, betaOAuth)
	}
	return betas
}

// withBetas adds betas to those of the client, which keep their order. A beta that is named twice is an error for some
// endpoints, and so is sent once.
func withBetas(betas []string) providers.Transformer {
	return providers.TransformerFunc(func(_ context.Context, req *providers.Request) error {
		var all []string
		for _, line := range append(slices.Clone(req.Header[betaHeader]), betas...) {
			for beta := range strings.SplitSeq(line, ",") {
				if beta = strings.TrimSpace(beta); beta != "" && !slices.Contains(all, beta) {
					all = append(all, beta)
				}
			}
		}
		req.Header[betaHeader] = []string{strings.Join(all, ",")}
		return nil
	})
}
