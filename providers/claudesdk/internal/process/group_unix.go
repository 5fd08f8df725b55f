//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// ownGroup gives the program a process group, which gets signals as one.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminate asks the program and its group to end.
func (p *Process) terminate() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) }

// killAll kills the group, and what has left it.
func (p *Process) killAll() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	killMarked(p.mark)
}

// sweep kills what the program has left behind. The number of its group is not given away while anything is in it.
func (p *Process) sweep() { p.killAll() }
