package process

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// killMarked kills the processes that have inherited the mark. Programs give what they start groups and sessions of
// its own, so that a signal to theirs does not reach it; the environment stays.
func killMarked(mark string) {
	const rounds = 5 // something may start something while it is looked for
	for range rounds {
		found := false
		for _, pid := range marked(mark) {
			found = true
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if !found {
			return
		}
	}
}

// marked lists the processes with the mark that are not dead already.
func marked(mark string) []int {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []int
	for _, dir := range dirs {
		pid, err := strconv.Atoi(dir.Name())
		if err != nil {
			continue
		}
		env, err := os.ReadFile("/proc/" + dir.Name() + "/environ") // empty for the dead
		if err == nil && containsEntry(env, mark) {
			list = append(list, pid)
		}
	}
	return list
}

func containsEntry(env []byte, entry string) bool {
	for part := range bytes.SplitSeq(env, []byte{0}) {
		if string(part) == entry {
			return true
		}
	}
	return false
}
