//go:build !unix

package redis_test

import (
	"os"
	"testing"
)

func suspend(t *testing.T, _ *os.Process) {
	t.Helper()
	t.Skip("processes cannot be suspended")
}
