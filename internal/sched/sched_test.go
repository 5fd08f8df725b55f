package sched_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/internal/sched"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errTask = errors.New("task failed")

// exact is a task without jitter, so that tests know when it runs.
func exact(interval time.Duration, run func(context.Context) error) sched.Task {
	return sched.Task{Name: "t", Interval: interval, Jitter: -1, Run: run}
}

func add(t *testing.T, s *sched.Scheduler, owner string, task sched.Task) func() {
	t.Helper()
	remove, err := s.Add(owner, task)
	if err != nil {
		t.Fatal(err)
	}
	return remove
}

func stop(t *testing.T, s *sched.Scheduler) {
	t.Helper()
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("Stop = %v", err)
	}
}

// runsAt runs the task for a while and gives the times of its runs since the start.
func runsAt(t *testing.T, task sched.Task, long time.Duration, result func(run int) error) []time.Duration {
	t.Helper()
	var s sched.Scheduler
	var at []time.Duration
	start := time.Now()
	task.Run = func(context.Context) error {
		at = append(at, time.Since(start))
		return result(len(at))
	}
	add(t, &s, "o", task)
	s.Start(t.Context())
	time.Sleep(long) // the bubble's clock: no real waiting
	synctest.Wait()
	stop(t, &s)
	return at
}

func TestTimes(t *testing.T) {
	t.Parallel()
	never := func(int) error { return nil }
	always := func(int) error { return errTask }
	tests := []struct {
		name   string
		task   sched.Task
		long   time.Duration
		result func(int) error
		want   []time.Duration
	}{
		{
			"interval",
			sched.Task{Interval: 10 * time.Second},
			30 * time.Second, never,
			[]time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second},
		},
		{
			"immediate",
			sched.Task{Interval: 10 * time.Second, Immediate: true},
			15 * time.Second, never,
			[]time.Duration{0, 10 * time.Second},
		},
		{
			"backoff up to five minutes",
			sched.Task{Interval: time.Minute, Immediate: true},
			18 * time.Minute, always,
			[]time.Duration{0, 2 * time.Minute, 6 * time.Minute, 11 * time.Minute, 16 * time.Minute},
		},
		{
			"own bound",
			sched.Task{Interval: time.Second, MaxBackoff: 3 * time.Second},
			12 * time.Second, always,
			[]time.Duration{time.Second, 3 * time.Second, 6 * time.Second, 9 * time.Second, 12 * time.Second},
		},
		{
			"bound never below the interval",
			sched.Task{Interval: time.Hour},
			3 * time.Hour, always,
			[]time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour},
		},
		{
			"success resets",
			sched.Task{Interval: time.Second},
			9 * time.Second,
			func(run int) error {
				if run == 3 {
					return nil
				}
				return errTask
			},
			[]time.Duration{1 * time.Second, 3 * time.Second, 7 * time.Second, 8 * time.Second},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.task.Name, tt.task.Jitter = "t", -1
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(tt.want, runsAt(t, tt.task, tt.long, tt.result)); diff != "" {
					t.Errorf("runs mismatch (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestJitterStaysInRange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		task := sched.Task{Name: "t", Interval: 100 * time.Second}
		at := runsAt(t, task, 10000*time.Second, func(int) error { return nil })
		previous, varied := time.Duration(0), false
		for _, now := range at {
			delay := now - previous
			if delay < 87500*time.Millisecond || delay > 112500*time.Millisecond {
				t.Errorf("delay %v is outside of ±12.5 %%", delay)
			}
			varied = varied || delay != task.Interval
			previous = now
		}
		if !varied || len(at) < 80 {
			t.Errorf("%d runs, varied: %t", len(at), varied)
		}
	})
}

func TestNoOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sched.Scheduler
		var at []time.Duration
		start := time.Now()
		add(t, &s, "o", exact(time.Second, func(context.Context) error {
			at = append(at, time.Since(start))
			time.Sleep(5 * time.Second)
			return nil
		}))
		s.Start(t.Context())
		time.Sleep(14 * time.Second)
		stop(t, &s)
		want := []time.Duration{time.Second, 7 * time.Second, 13 * time.Second}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("runs mismatch (-want +got):\n%s", diff)
		}
	})
}

func TestFailuresAreContained(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		run  func(context.Context) error
		want string
	}{
		{"error", func(context.Context) error { return errTask }, "task failed"},
		{"panic", func(context.Context) error { panic("secret") }, "panic of type string"},
		{"goexit", func(context.Context) error { runtime.Goexit(); return nil }, "task ended its goroutine"},
		{"timeout", untilDone, "context deadline exceeded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				s := sched.Scheduler{Logger: slog.New(slog.NewTextHandler(&b, nil))}
				task := exact(10*time.Second, tt.run)
				task.Timeout = time.Second
				start := time.Now()
				add(t, &s, "o", task)
				s.Start(t.Context())
				time.Sleep(11 * time.Second)
				synctest.Wait()
				got := s.Status()
				if len(got) != 1 || got[0].LastError == nil || got[0].LastError.Error() != tt.want {
					t.Fatalf("Status = %+v, want the error %q", got, tt.want)
				}
				got[0].LastError = nil
				want := []sched.Status{{
					Owner: "o", Name: "t", Interval: 10 * time.Second, ConsecutiveFailures: 1,
					LastRun: start.Add(10 * time.Second), NextDelay: 20 * time.Second,
				}}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("Status mismatch (-want +got):\n%s", diff)
				}
				time.Sleep(21 * time.Second)
				synctest.Wait()
				if got := s.Status()[0].ConsecutiveFailures; got != 2 {
					t.Errorf("%d failures after the second run, want 2", got)
				}
				stop(t, &s)
				if log := b.String(); strings.Count(log, "owner=o task=t") != 2 || strings.Contains(log, "secret") {
					t.Errorf("log = %q", log)
				}
			})
		})
	}
}

func TestStatusWhileRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sched.Scheduler
		release := make(chan struct{})
		wait := exact(time.Second, func(context.Context) error { <-release; return nil })
		for _, owner := range []string{"b", "a"} {
			add(t, &s, owner, wait)
		}
		s.Start(t.Context())
		time.Sleep(time.Second)
		synctest.Wait()
		var got []string
		for _, st := range s.Status() {
			if !st.Running || st.NextDelay != 0 {
				t.Errorf("Status = %+v, want it running", st)
			}
			got = append(got, st.Owner)
		}
		if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
			t.Errorf("owners mismatch (-want +got):\n%s", diff)
		}
		close(release)
		stop(t, &s)
	})
}

func TestStopEndsRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sched.Scheduler
		runs := 0
		add(t, &s, "o", exact(time.Second, func(ctx context.Context) error {
			runs++
			<-ctx.Done()
			time.Sleep(3 * time.Second) // cleaning up
			return ctx.Err()
		}))
		s.Start(t.Context())
		time.Sleep(time.Second)
		synctest.Wait()
		start := time.Now()
		stop(t, &s)
		if got := time.Since(start); got != 3*time.Second {
			t.Errorf("Stop returned after %v, want it to wait for the run", got)
		}
		if st := s.Status()[0]; st.LastError != nil || st.ConsecutiveFailures != 0 {
			t.Errorf("a run that Stop cut short counts as a failure: %+v", st)
		}
		time.Sleep(time.Minute)
		s.Start(t.Context()) // no second life
		time.Sleep(time.Minute)
		if runs != 1 {
			t.Errorf("%d runs, want none after Stop", runs)
		}
		if _, err := s.Add("o", exact(time.Second, nop)); !errors.Is(err, sched.ErrStopped) {
			t.Errorf("Add after Stop = %v, want ErrStopped", err)
		}
	})
}

func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sched.Scheduler
		release := make(chan struct{})
		remove := add(t, &s, "o", exact(time.Second, func(context.Context) error { <-release; return nil }))
		s.Start(t.Context())
		time.Sleep(time.Second)
		synctest.Wait()
		remove() // it runs on all the same
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := s.Stop(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "t of o") {
			t.Errorf("Stop = %v, want a deadline and the task's name", err)
		}
		close(release)
		stop(t, &s)
	})
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	var s sched.Scheduler
	add(t, &s, "o", exact(time.Second, nop))
	stop(t, &s)
}

func TestStartContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sched.Scheduler
		runs := 0
		add(t, &s, "o", exact(time.Second, func(context.Context) error { runs++; return nil }))
		ctx, cancel := context.WithCancel(t.Context())
		s.Start(ctx)
		time.Sleep(1500 * time.Millisecond)
		cancel()
		time.Sleep(time.Minute)
		if runs != 1 {
			t.Errorf("%d runs, want none after the context's end", runs)
		}
		stop(t, &s)
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sched.Scheduler
		s.Start(t.Context())
		runs, ended := 0, false
		remove := add(t, &s, "o", exact(time.Second, func(ctx context.Context) error {
			runs++
			<-ctx.Done()
			ended = true
			return nil
		}))
		time.Sleep(time.Second)
		synctest.Wait()
		remove()
		synctest.Wait()
		if !ended {
			t.Error("remove did not end the run's context")
		}
		add(t, &s, "o", exact(time.Hour, nop)) // the name is free again
		remove()                               // and its owner safe from the old remove
		time.Sleep(time.Minute)
		if got := s.Status(); runs != 1 || len(got) != 1 {
			t.Errorf("%d runs, status %+v", runs, got)
		}
		stop(t, &s)
	})
}

func TestTaskRemovesItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s sched.Scheduler
		runs := 0
		var remove func()
		remove = add(t, &s, "o", exact(time.Second, func(context.Context) error { runs++; remove(); return nil }))
		s.Start(t.Context())
		time.Sleep(time.Minute)
		stop(t, &s)
		if runs != 1 {
			t.Errorf("%d runs, want one", runs)
		}
	})
}

func TestIdleTasksHoldNoGoroutine(t *testing.T) { //nolint:paralleltest // counts goroutines
	var s sched.Scheduler
	before := runtime.NumGoroutine()
	for _, owner := range []string{"a", "b", "c", "d"} {
		add(t, &s, owner, exact(time.Hour, nop))
	}
	s.Start(context.Background()) // t.Context has a goroutine of its own
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines became %d", before, after)
	}
	stop(t, &s)
}

func nop(context.Context) error { return nil }

func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	var s sched.Scheduler
	add(t, &s, "o", exact(time.Second, nop))
	tests := []struct {
		name string
		task sched.Task
		want error
	}{
		{"duplicate", exact(time.Second, nop), sched.ErrDuplicate},
		{"no name", sched.Task{Interval: time.Second, Run: nop}, sched.ErrInvalid},
		{"nothing to run", sched.Task{Name: "n", Interval: time.Second}, sched.ErrInvalid},
		{"short interval", sched.Task{Name: "n", Interval: time.Second - 1, Run: nop}, sched.ErrInvalid},
		{"jitter", sched.Task{Name: "n", Interval: time.Second, Jitter: 1.1, Run: nop}, sched.ErrInvalid},
		{"timeout", sched.Task{Name: "n", Interval: time.Second, Timeout: -1, Run: nop}, sched.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := s.Add("o", tt.task); !errors.Is(err, tt.want) {
				t.Errorf("Add = %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := s.Add("other", exact(time.Second, nop)); err != nil {
		t.Errorf("another owner's task of the same name: %v", err)
	}
}
