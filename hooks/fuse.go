package hooks

import "time"

const (
	fuseFailures = 5           // consecutive failures that blow the fuse
	fusePause    = time.Minute // until one call is let through to see whether the hook is well again
)

// fuse leaves out a hook that does nothing but fail. It is guarded by its owner's mutex; the zero value is
// closed.
type fuse struct {
	failures int
	until    time.Time // zero while closed
	trying   bool      // the trial call is under way
}

// pass is the fuse's answer to a call that wants to be made, and is shown again with its outcome.
type pass int

const (
	refused pass = iota
	regular
	trial
)

// ask says whether a call may be made. After the pause it lets one through as a trial.
func (f *fuse) ask(now func() time.Time) pass {
	switch {
	case !f.blown():
		return regular
	case f.trying || now().Before(f.until):
		return refused
	}
	f.trying = true
	return trial
}

// report records how a call ended, and says whether that blew the fuse. A call that was let through before
// the fuse blew says nothing about the hook's state since.
func (f *fuse) report(p pass, failed bool, now func() time.Time) bool {
	if f.blown() && p != trial {
		return false
	}
	if !failed {
		*f = fuse{}
		return false
	}
	f.failures++
	if f.failures < fuseFailures { // a trial's failure comes on top of those that blew the fuse
		return false
	}
	f.until, f.trying = now().Add(fusePause), false
	return true
}

// giveBack returns a pass whose call had no outcome of its own; the next call may be the trial.
func (f *fuse) giveBack(p pass) {
	if p == trial {
		f.trying = false
	}
}

func (f *fuse) blown() bool { return !f.until.IsZero() }
