// Package roundtrip tests the codecs of all dialects against each other with generated conversations: what comes back
// from a dialect is what went in, and what goes through another dialect differs only where a loss was reported.
package roundtrip

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // a hundred thousand conversations live for microseconds each
	goleak.VerifyTestMain(m)
}
