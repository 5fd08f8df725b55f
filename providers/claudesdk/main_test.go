package claudesdk_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is the fake CLI where the test started itself as one.
func TestMain(m *testing.M) {
	if mode := os.Getenv("FAKE_CLAUDE"); mode != "" {
		os.Exit(fakeCLI(mode))
	}
	goleak.VerifyTestMain(m)
}
