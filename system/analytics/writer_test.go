package analytics

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeStore notes what it is given, and fails or hangs when it is told to.
type fakeStore struct {
	Store

	mu      sync.Mutex
	batches []int
	ids     map[ID]int
	err     error
	fails   int           // so many attempts fail
	takes   time.Duration // each attempt
	hold    chan struct{}
	pruned  int64
}

var errLocked = errors.New("database is locked")

func (s *fakeStore) Append(ctx context.Context, records []Record) error {
	s.mu.Lock()
	hold, err := s.hold, s.err
	if s.fails > 0 {
		s.fails--
		err = errLocked
	}
	s.mu.Unlock()
	time.Sleep(s.takes)
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches = append(s.batches, len(records))
	for _, r := range records {
		if s.ids == nil {
			s.ids = make(map[ID]int)
		}
		s.ids[r.ID]++
	}
	return nil
}

func (s *fakeStore) Prune(_ context.Context, _ time.Time, keep int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pruned = keep
	return 0, nil
}

func (s *fakeStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *fakeStore) written() (batches, records int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.batches), len(s.ids)
}

func record() *Record { return &Record{ID: NewID(time.Now()), Time: time.Now()} }

func startWriter(s Store, batch, queue int, logger *slog.Logger) *writer {
	cfg := DefaultConfig()
	cfg.BatchSize, cfg.QueueSize = batch, queue
	w := newWriter(s, cfg, logger)
	go w.run()
	return w
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestWriterWritesInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s fakeStore
		w := startWriter(&s, 10, 100, quiet())
		w.add(record())
		time.Sleep(time.Second - time.Nanosecond)
		synctest.Wait()
		if n, _ := s.written(); n != 0 {
			t.Error("a record is written before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if _, n := s.written(); n != 1 {
			t.Errorf("%d records are written after the interval, want 1", n)
		}
		for range 25 {
			w.add(record())
		}
		synctest.Wait()
		if b, n := s.written(); b != 3 || n != 21 {
			t.Errorf("%d batches with %d records, want 3 with 21: full ones do not wait", b, n)
		}
		if err := w.close(t.Context()); err != nil {
			t.Error(err)
		}
		if b, n := s.written(); b != 4 || n != 26 {
			t.Errorf("%d batches with %d records after close, want 4 with 26", b, n)
		}
	})
}

// TestWriterOutlivesAnOutage has a store that takes nothing for a while: what the queue holds is written later, once,
// and what is beyond is counted.
func TestWriterOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s fakeStore
		var out strings.Builder
		w := startWriter(&s, 10, 100, slog.New(slog.NewTextHandler(&out, nil)))
		s.fail(errors.New("no route"))
		for range 130 {
			w.add(record())
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if st := w.state(); st.err == nil || st.pending != 100 || st.dropped != 30 {
			t.Errorf("state = %+v, want an error, 100 that wait and 30 dropped", st)
		}
		s.fail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := w.state(); st.err != nil || st.pending != 0 || st.written != 100 || st.dropped != 30 {
			t.Errorf("state = %+v, want all written", st)
		}
		if err := w.close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, n := s.written(); n != 100 {
			t.Errorf("%d records, want 100", n)
		}
		if n := strings.Count(out.String(), "records cannot be written"); n != 1 {
			t.Errorf("the outage is logged %d times, want once:\n%s", n, &out)
		}
		if !strings.Contains(out.String(), "dropped_records=30") {
			t.Errorf("the log does not tell of 30 dropped records:\n%s", &out)
		}
	})
}

// TestWriterRetriesAreFew holds that a store that is away is not hammered.
func TestWriterRetriesAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &countingStore{}
		w := startWriter(s, 10, 1000, quiet())
		for range 100 {
			w.add(record())
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if s.calls > 30 {
			t.Errorf("%d attempts in ten minutes, want no more than 30", s.calls)
		}
		began := time.Now()
		err := w.close(t.Context())
		if err == nil || !strings.Contains(err.Error(), "100 records are lost") || time.Since(began) > 5*time.Second {
			t.Errorf("close = %v after %v, want 100 lost records, and soon", err, time.Since(began))
		}
	})
}

type countingStore struct {
	Store

	calls int
}

func (s *countingStore) Append(context.Context, []Record) error {
	s.calls++
	return errors.New("away")
}

// TestWriterCloseIsBounded has a store that hangs.
func TestWriterCloseIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fakeStore{hold: make(chan struct{})}
		w := startWriter(&s, 1, 100, quiet())
		w.add(record())
		w.add(record())
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		err := w.close(ctx)
		if err == nil || time.Since(began) != 3*time.Second {
			t.Errorf("close = %v after %v, want an error after 3s", err, time.Since(began))
		}
		synctest.Wait() // its goroutine ends, too
	})
}

func TestWriterFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s fakeStore
		w := startWriter(&s, 10, 100, quiet())
		w.add(record())
		if err := w.flush(t.Context()); err != nil {
			t.Error(err)
		}
		if _, n := s.written(); n != 1 {
			t.Errorf("%d records after flush, want 1", n)
		}
		if err := w.flush(t.Context()); err != nil {
			t.Errorf("flush of nothing: %v", err)
		}
		s.fail(errors.New("away"))
		w.add(record())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush while the store is away = %v, want the context's end", err)
		}
		s.fail(nil)
		if err := w.close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestWriterUnderTraffic has records come faster than the store takes a batch, so that some wait at any moment: batches
// are whole nevertheless, a flush waits for those alone that were there before it, and none waits for long.
func TestWriterUnderTraffic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := fakeStore{takes: 5 * time.Millisecond}
		w := startWriter(&s, 500, 20_000, quiet())
		const n, pause = 3000, 3333 * time.Microsecond
		var flushed sync.WaitGroup
		for i := range n {
			time.Sleep(pause)
			w.add(record())
			if i == n/2 {
				flushed.Go(func() {
					began := time.Now()
					if err := w.flush(t.Context()); err != nil || time.Since(began) > 20*time.Millisecond {
						t.Errorf("flush = %v after %v", err, time.Since(began))
					}
				})
			}
		}
		flushed.Wait()
		if b, _ := s.written(); b < 9 || b > 20 {
			t.Errorf("%d batches in ten seconds, with an interval of one", b)
		}
		time.Sleep(time.Second + s.takes)
		synctest.Wait()
		if _, written := s.written(); written != n {
			t.Errorf("%d of %d records are written an interval after the last", written, n)
		}
		if err := w.close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestWriterCloseTriesAgain has the last attempts fail, be it that they begin before the end or with it.
func TestWriterCloseTriesAgain(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]time.Duration{"with the end": 0, "before it": time.Second + 50*time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := fakeStore{takes: 100 * time.Millisecond, fails: 3}
				w := startWriter(&s, 10, 100, quiet())
				for range 25 {
					w.add(record())
				}
				time.Sleep(before)
				if err := w.close(t.Context()); err != nil {
					t.Error(err)
				}
				if _, n := s.written(); n != 25 {
					t.Errorf("%d of 25 records are written", n)
				}
			})
		})
	}
}

func TestWriterTrims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s fakeStore
		cfg := DefaultConfig()
		cfg.BatchSize = 10
		w := newWriter(&s, cfg, quiet())
		w.keep = 200
		go w.run()
		for range 20 {
			w.add(record())
		}
		synctest.Wait()
		if s.pruned != 0 {
			t.Error("the store is trimmed before there is a tenth too much")
		}
		for range 10 {
			w.add(record())
		}
		synctest.Wait()
		if s.pruned != 200 {
			t.Errorf("the store is trimmed to %d, want 200", s.pruned)
		}
		if err := w.close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBroker(t *testing.T) {
	t.Parallel()
	b := broker{subscribers: 2, buffer: 2}
	all, err := b.subscribe(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	some, err := b.subscribe(Filter{Models: Words{Any: []string{"m"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.subscribe(Filter{}); !errors.Is(err, errSubscribers) {
		t.Errorf("a third subscriber = %v, want errSubscribers", err)
	}
	for _, m := range []string{"x", "m", "y"} {
		b.publish(&Record{Model: m})
	}
	if n := len(some.records); n != 1 {
		t.Errorf("the filter lets %d through, want 1", n)
	}
	if open, slow := b.state(); open != 1 || slow != 1 || !all.slow {
		t.Errorf("%d watch and %d were too slow, want 1 and 1", open, slow)
	}
	<-all.records
	<-all.records
	if _, ok := <-all.records; ok {
		t.Error("the slow one still gets records")
	}
	b.close()
	<-some.records
	if _, ok := <-some.records; ok {
		t.Error("records come after the end")
	}
	b.unsubscribe(some)
	if _, err := b.subscribe(Filter{}); !errors.Is(err, errStopped) {
		t.Errorf("subscribe after the end = %v, want errStopped", err)
	}
}
