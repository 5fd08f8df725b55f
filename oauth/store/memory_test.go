package store_test

import (
	"testing"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
	"github.com/ccproxy-go/ccproxy/oauth/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.TestStore(t, func(*testing.T) oauth.Store { return new(store.Memory) })
}
