package main

import (
	"syscall"
	"time"
)

// cpuTime is what this process has had of the processors, by itself and in the system.
func cpuTime() (time.Duration, error) {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0, err
	}
	var created, exited, system, user syscall.Filetime
	if err := syscall.GetProcessTimes(self, &created, &exited, &system, &user); err != nil {
		return 0, err
	}
	return ticks(system) + ticks(user), nil
}

// ticks reads a span of time, which is in hundreds of nanoseconds.
func ticks(t syscall.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}
