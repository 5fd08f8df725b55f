package oauth_test

import (
	"testing"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store/storetest"
)

func TestMemorySessions(t *testing.T) {
	t.Parallel()
	storetest.TestSessions(t, func(*testing.T) (oauth.SessionStore, func() oauth.SessionStore) {
		return new(oauth.MemorySessions), nil
	})
}
