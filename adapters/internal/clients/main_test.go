// Package clients tests that conversions do what coding agents and SDKs need of them: each case is a body as such a
// client, or an upstream, sends it, and says what has to be in what comes out.
package clients

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
