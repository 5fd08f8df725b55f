package sched

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// maxDoublings keeps the shift of an interval from overflowing; a day doubled so often is beyond any bound.
const maxDoublings = 16

var errGoexit = errors.New("task ended its goroutine")

// PanicError is the failure of a run that panicked. Its text has only the type of the value, which might
// hold anything.
type PanicError struct {
	Value any
	Stack []byte
}

// Error tells the type of the panic's value.
func (e *PanicError) Error() string { return fmt.Sprintf("panic of type %T", e.Value) }

// entry is a task of a Scheduler. Its fields are guarded by the Scheduler's mutex.
type entry struct {
	key      key
	task     Task
	removed  bool
	timer    *time.Timer
	cancel   context.CancelFunc // of the run in progress
	running  bool
	failures int
	lastRun  time.Time
	lastErr  error
	delay    time.Duration
}

// begin arms the first run. The Scheduler is locked and started.
func (s *Scheduler) begin(e *entry) {
	if e.task.Immediate {
		s.arm(e, 0)
		return
	}
	s.arm(e, spread(e.task.Interval, e.task.Jitter))
}

func (s *Scheduler) arm(e *entry, delay time.Duration) {
	e.delay = delay
	e.timer = time.AfterFunc(delay, func() { s.fire(e) })
}

func (e *entry) disarm() {
	if e.timer != nil {
		e.timer.Stop()
	}
	e.delay = 0
}

// fire is called on the timer's goroutine. The deferred finish also runs when the task panics or calls
// runtime.Goexit, which nothing can stop but which ends this goroutine only.
func (s *Scheduler) fire(e *entry) {
	ctx, ok := s.enter(e)
	if !ok {
		return
	}
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		s.finish(e, err)
	}()
	err = e.task.Run(ctx)
}

// enter marks the task as running, unless it was removed or the Scheduler stopped while the timer fired.
func (s *Scheduler) enter(e *entry) (context.Context, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.removed || s.stopped || s.ctx.Err() != nil {
		return nil, false
	}
	s.running.Add(1)
	if s.active == nil {
		s.active = make(map[*entry]struct{})
	}
	s.active[e] = struct{}{}
	ctx := s.ctx
	if e.task.Timeout > 0 {
		ctx, e.cancel = context.WithTimeout(ctx, e.task.Timeout)
	} else {
		ctx, e.cancel = context.WithCancel(ctx)
	}
	e.running, e.lastRun, e.delay = true, time.Now(), 0
	return ctx, true
}

// finish notes how the run ended and arms the next one.
func (s *Scheduler) finish(e *entry, err error) {
	defer s.running.Done()
	s.mu.Lock()
	delete(s.active, e)
	e.cancel()
	e.cancel, e.running = nil, false
	ending := e.removed || s.ctx.Err() != nil
	// A run that is cut short by Stop or remove tells nothing of the task.
	if !ending || err == nil {
		e.note(err)
	}
	if !ending {
		s.arm(e, e.nextDelay())
	}
	failures := e.failures
	s.mu.Unlock()
	if err != nil && !ending {
		s.logFailure(e, err, failures)
	}
}

func (e *entry) note(err error) {
	e.lastErr = err
	if err == nil {
		e.failures = 0
		return
	}
	e.failures++
}

// nextDelay is the interval, doubled with every failure in a row, bounded, and spread.
func (e *entry) nextDelay() time.Duration {
	delay := e.task.Interval
	for range min(e.failures, maxDoublings) {
		if delay >= e.task.MaxBackoff {
			break
		}
		delay *= 2
	}
	return spread(min(delay, e.task.MaxBackoff), e.task.Jitter)
}

// spread moves a delay by up to half the jitter's part of it, to either side.
func spread(delay time.Duration, jitter float64) time.Duration {
	if jitter <= 0 {
		return delay
	}
	offset := (rand.Float64() - 0.5) * jitter //nolint:gosec // spreads load, guards nothing
	return delay + time.Duration(float64(delay)*offset)
}

func (e *entry) status() Status {
	return Status{
		Owner:               e.key.owner,
		Name:                e.key.name,
		Running:             e.running,
		Interval:            e.task.Interval,
		ConsecutiveFailures: e.failures,
		LastRun:             e.lastRun,
		LastError:           e.lastErr,
		NextDelay:           e.delay,
	}
}

func (s *Scheduler) logFailure(e *entry, err error, failures int) {
	if s.Logger == nil {
		return
	}
	args := []any{"owner", e.key.owner, "task", e.key.name, "failures", failures, "error", err}
	if p, ok := errors.AsType[*PanicError](err); ok {
		args = append(args, "stack", string(p.Stack))
	}
	s.Logger.Error("task failed", args...)
}
