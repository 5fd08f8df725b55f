package ccproxy

import (
	"context"
	"fmt"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// accountStates are the accounts that a plugin brings, by name.
func (a *accounts) accountStates(ctx context.Context, plugin string) []oauth.Status {
	var all []oauth.Status
	for _, s := range a.tokens.Statuses() {
		acc, ok := a.find(s.ID)
		if !ok || acc.plugin != plugin {
			continue
		}
		s.State = acc.state(ctx, s)
		all = append(all, s)
	}
	return all
}

// withAccounts adds to what a plugin says of its health how its accounts are.
func (h Health) withAccounts(states []oauth.Status) Health {
	for _, s := range states {
		status := AccountHealth(s.State)
		if graver(status, h.Status) {
			h.Status, h.Output = status, fmt.Sprintf("account %s: %s", s.ID, s.State)
		}
	}
	return h
}

// AccountHealth is what the state of an OAuth account means for the health of those that use it: it fails where only
// a login helps, and is a warning where nobody has logged in yet, where a refresh fails that is tried again, and
// where tokens could not be saved.
func AccountHealth(s oauth.State) HealthStatus {
	switch s {
	case oauth.StateNeedsLogin, oauth.StateCorrupt:
		return HealthFail
	case oauth.StateNoCredentials, oauth.StateFailing, oauth.StateUnsaved:
		return HealthWarn
	default:
		return HealthPass
	}
}

// graver tells whether a status is worse than another one.
func graver(a, b HealthStatus) bool {
	rank := func(s HealthStatus) int {
		switch s {
		case HealthFail:
			return 2
		case HealthWarn:
			return 1
		default:
			return 0
		}
	}
	return rank(a) > rank(b)
}
