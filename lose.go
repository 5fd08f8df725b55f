package ccproxy

import (
	"slices"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// Lose notes what of a request the provider leaves out since its upstream does not take it: the client is told as of
// what a conversion loses. A provider calls it within Do and before it asks the upstream, on the call that it was
// given. Where Settings.StrictConversion is set it returns an error, which Do is to return.
func (c *Call) Lose(lost ...canonical.Loss) error {
	c.lost = append(slices.Clip(c.lost), lost...)
	if c.strict && len(lost) > 0 {
		return providerStrictError(c.Provider, lost)
	}
	return nil
}

// providerStrictError refuses a request of which the provider does not take all.
func providerStrictError(provider string, lost []canonical.Loss) *Error {
	e := badRequest(lost[0].Path, "%s: not taken by provider %s", lossNames(lost), provider)
	e.Code = "conversion_loss"
	return e
}
