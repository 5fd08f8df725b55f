package providers

import (
	"strings"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// forwardedQuery is what an upstream gets of a client's query: all of it but members that are named like credentials.
// Those were meant for this side, or for nobody: the upstream has credentials of its own.
func forwardedQuery(raw string) string {
	if hooks.SafeQuery(raw) == raw {
		return raw
	}
	kept := make([]string, 0, 4)
	for member := range strings.SplitSeq(raw, "&") {
		if hooks.SafeQuery(member) == member {
			kept = append(kept, member)
		}
	}
	return strings.Join(kept, "&")
}
