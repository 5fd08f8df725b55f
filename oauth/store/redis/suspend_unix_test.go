//go:build unix

package redis_test

import (
	"os"
	"syscall"
	"testing"
)

func suspend(t *testing.T, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}
