//go:build unix

package claudesdk_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

const sigTerm = syscall.SIGTERM

// child starts a program in a session of its own, which holds the standard output open, and tells its number.
func (f *fake) child() string {
	cmd := exec.Command("sleep", "300")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err.Error()
	}
	return strconv.Itoa(cmd.Process.Pid)
}

func runs(pid int) bool { return syscall.Kill(pid, 0) == nil && !zombie(pid) }

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ") // the name of a program has no such thing
	return strings.HasPrefix(state, "Z")
}
