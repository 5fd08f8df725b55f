package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// usage is what a process has and has used. Figures that the system does not tell are 0.
type usage struct {
	CPU        time.Duration `json:"cpu"` // user and system
	RSS        int64         `json:"rss"`
	PeakRSS    int64         `json:"peak_rss"`
	Goroutines int           `json:"goroutines"`
	Files      int           `json:"files"`
}

// used is what this process has used.
func used() (usage, error) {
	cpu, err := cpuTime()
	if err != nil {
		return usage{}, err
	}
	u := usage{CPU: cpu, Goroutines: runtime.NumGoroutine()}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return u, nil //nolint:nilerr // not on this system
	}
	u.RSS, u.PeakRSS = kilobytes(status, "VmRSS:"), kilobytes(status, "VmHWM:")
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return u, err
	}
	u.Files = len(files)
	return u, nil
}

func kilobytes(status []byte, name string) int64 {
	_, rest, found := bytes.Cut(status, []byte(name))
	var n int64
	if _, err := fmt.Sscan(string(rest), &n); !found || err != nil {
		return 0
	}
	return n << 10
}

// tcpMemory is what TCP connections of the whole system hold, in bytes; 0 where the system does not say.
func tcpMemory() int64 {
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if i := slices.Index(fields, "mem"); i > 0 && fields[0] == "TCP:" && i+1 < len(fields) {
			var pages int64
			if _, err := fmt.Sscan(fields[i+1], &pages); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	return 0
}

// quantile is the time that a share of the times is not above; 0 for none. It sorts them.
func quantile(times []time.Duration, share float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[min(int(float64(len(times))*share), len(times)-1)]
}

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
