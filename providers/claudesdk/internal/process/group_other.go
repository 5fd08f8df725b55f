//go:build !unix && !windows

package process

import "os/exec"

// ownGroup does nothing where there are no groups.
func ownGroup(*exec.Cmd) {}

// terminate does nothing: the end of the standard input is how a program is asked to end.
func (p *Process) terminate() {}

// killAll kills the program.
func (p *Process) killAll() { _ = p.cmd.Process.Kill() }

// sweep does nothing.
func (p *Process) sweep() {}
