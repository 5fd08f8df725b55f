//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is what this process has had of the processors, by itself and in the system.
func cpuTime() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, err
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}
