package claudesdk_test

import (
	"os"
	"syscall"
)

const sigTerm = syscall.SIGTERM

func (f *fake) child() string { return "0" }

func runs(pid int) bool {
	p, err := os.FindProcess(pid)
	if err == nil {
		_ = p.Release()
	}
	return err == nil
}
