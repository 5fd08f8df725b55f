// Package sched runs tasks again and again at intervals.
//
// A [Scheduler] never runs a task twice at the same time, waits longer after failures, and holds no
// goroutine for a task that is idle. Panics of a task, and its goroutine's end by runtime.Goexit, count as
// failures of that run.
package sched

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// The defaults of a [Task]'s zero fields, and the shortest interval.
const (
	MinInterval       = time.Second
	DefaultJitter     = 0.25
	DefaultMaxBackoff = 300 * time.Second
)

var (
	// ErrInvalid is returned by Add for a task that cannot run.
	ErrInvalid = errors.New("invalid task")
	// ErrDuplicate is returned by Add if the owner has a task of that name.
	ErrDuplicate = errors.New("task added twice")
	// ErrStopped is returned by Add after Stop.
	ErrStopped = errors.New("scheduler stopped")
)

// Task is something to do at intervals.
type Task struct {
	// Name is unique among the tasks of one owner.
	Name string
	// Interval is the time between the end of one run and the start of the next: at least a second.
	Interval time.Duration
	// Jitter spreads each delay over a range this wide, as a part of the delay: 0.25 means ±12.5 %. 0 means
	// DefaultJitter; negative means none. At most 1.
	Jitter float64
	// MaxBackoff bounds the delay after failures, which doubles with each. 0 means DefaultMaxBackoff. It
	// never makes the delay shorter than Interval.
	MaxBackoff time.Duration
	// Immediate starts the first run at once and not after an interval.
	Immediate bool
	// Timeout ends a run's context. 0 means that only Stop, or the removal of the task, does.
	Timeout time.Duration
	// Run does the work. It should return soon after ctx ends.
	Run func(ctx context.Context) error
}

// Status tells how a task is doing.
type Status struct {
	Owner, Name         string
	Running             bool
	Interval            time.Duration
	ConsecutiveFailures int
	// LastRun is when the last run started; zero before the first.
	LastRun time.Time
	// LastError is how the last finished run failed; nil if it succeeded.
	LastError error
	// NextDelay is the delay that precedes the next run; 0 while running, and before Start.
	NextDelay time.Duration
}

type key struct{ owner, name string }

// Scheduler runs tasks between Start and Stop. The zero value is ready, and all methods are safe for
// concurrent use. A Scheduler must not be copied after first use.
type Scheduler struct {
	// Logger gets the failures of tasks. If nil they show in Status only. Set it before use.
	Logger *slog.Logger

	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // parent of the runs between Start and Stop
	cancel  context.CancelFunc
	stopped bool
	entries map[key]*entry
	active  map[*entry]struct{} // the runs in progress, those of removed tasks included
	running sync.WaitGroup
}

// Start begins to run the tasks added before and after. ctx is the parent of every run's context: when it
// ends, no further run starts. A second Start, or one after Stop, does nothing.
func (s *Scheduler) Start(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.ctx != nil {
		return
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	for _, e := range s.entries {
		s.begin(e) //nolint:contextcheck // runs get their context from s.ctx
	}
}

// Add takes in a task; before Start it waits for that. remove takes it out again: it ends the context of a
// run in progress without waiting for the run, and may be called more than once. Add returns an error
// wrapping [ErrInvalid], [ErrDuplicate] or [ErrStopped].
func (s *Scheduler) Add(owner string, t Task) (remove func(), err error) {
	if err := t.validate(); err != nil {
		return nil, err
	}
	t.Jitter = cmp.Or(t.Jitter, DefaultJitter)
	t.MaxBackoff = max(cmp.Or(t.MaxBackoff, DefaultMaxBackoff), t.Interval)

	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{owner, t.Name}
	if s.stopped {
		return nil, fmt.Errorf("%w: %s of %s", ErrStopped, t.Name, owner)
	}
	if _, taken := s.entries[k]; taken {
		return nil, fmt.Errorf("%w: %s of %s", ErrDuplicate, t.Name, owner)
	}
	if s.entries == nil {
		s.entries = make(map[key]*entry)
	}
	e := &entry{key: k, task: t}
	s.entries[k] = e
	if s.ctx != nil {
		s.begin(e)
	}
	return func() { s.remove(e) }, nil
}

// Stop ends the context of the runs in progress, starts no further ones and waits for those to return. If
// ctx ends first, the error wraps its cause and names the tasks that still run. Stop may be called again to
// wait on, and before Start.
func (s *Scheduler) Stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		if s.cancel != nil {
			s.cancel()
		}
		for _, e := range s.entries {
			e.disarm()
		}
	}
	s.mu.Unlock()
	return s.wait(ctx)
}

// Status tells how each task is doing, sorted by owner and name.
func (s *Scheduler) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.entries))
	for _, k := range slices.SortedFunc(maps.Keys(s.entries), compareKeys) {
		all = append(all, s.entries[k].status())
	}
	return all
}

func (s *Scheduler) remove(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[e.key] != e {
		return
	}
	delete(s.entries, e.key)
	e.removed = true
	e.disarm()
	if e.cancel != nil {
		e.cancel()
	}
}

func (s *Scheduler) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("tasks still running: %s: %w", strings.Join(s.runningNames(), ", "), context.Cause(ctx))
	}
}

func (s *Scheduler) runningNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for e := range s.active {
		names = append(names, e.key.name+" of "+e.key.owner)
	}
	slices.Sort(names)
	return names
}

func (t Task) validate() error {
	switch {
	case t.Name == "":
		return fmt.Errorf("%w: no name", ErrInvalid)
	case t.Run == nil:
		return fmt.Errorf("%w: %s has nothing to run", ErrInvalid, t.Name)
	case t.Interval < MinInterval:
		return fmt.Errorf("%w: interval %v of %s is below %v", ErrInvalid, t.Interval, t.Name, MinInterval)
	case t.Jitter > 1:
		return fmt.Errorf("%w: jitter %v of %s is above 1", ErrInvalid, t.Jitter, t.Name)
	case t.MaxBackoff < 0 || t.Timeout < 0:
		return fmt.Errorf("%w: negative duration of %s", ErrInvalid, t.Name)
	default:
		return nil
	}
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.name, b.name))
}
