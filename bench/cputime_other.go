//go:build !unix

package main

import (
	"errors"
	"fmt"
	"time"
)

// cpuTime fails: there is no portable way to ask.
func cpuTime() (time.Duration, error) {
	return 0, fmt.Errorf("CPU time of a process: %w", errors.ErrUnsupported)
}
