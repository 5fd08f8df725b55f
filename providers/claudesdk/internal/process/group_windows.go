package process

import (
	"os/exec"
	"strconv"
	"syscall"
)

// ownGroup keeps the console's signals away from the program.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// terminate does nothing: the end of the standard input is how a program is asked to end.
func (p *Process) terminate() {}

// killAll kills the program with its children.
func (p *Process) killAll() {
	pid := strconv.Itoa(p.cmd.Process.Pid)
	//nolint:gosec,noctx // it ends by itself
	if exec.Command("taskkill", "/T", "/F", "/PID", pid).Run() != nil {
		_ = p.cmd.Process.Kill()
	}
}

// sweep does nothing: children of a program that has ended cannot be told from others.
func (p *Process) sweep() {}
