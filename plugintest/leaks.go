package plugintest

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

const cycles = 5

// testGoroutines finds goroutines that outlive their proxy. Goroutines carry the labels of the one that started them,
// so those of other tests that run at the same time are not counted.
func (s *suite) testGoroutines(t *testing.T) {
	t.Helper()
	s.cycle(t) // what is made once and kept, such as a resolver's, is no leak
	mark := fmt.Sprintf("%s-%p", s.name, t)
	done := make(chan struct{})
	go pprof.Do(t.Context(), pprof.Labels("plugintest", mark), func(context.Context) {
		defer close(done)
		for range cycles {
			s.cycle(t)
		}
	})
	<-done
	if left := settled(mark); len(left) > 0 {
		t.Errorf("%d kinds of goroutines are left after %d starts and stops:\n%s", len(left), cycles,
			strings.Join(left, "\n\n"))
	}
}

func (s *suite) cycle(t *testing.T) {
	t.Helper()
	p := s.build(t)
	s.start(t, p)
	s.checkHealth(t, p)
	stop(t, p)
}

// settled returns the goroutines with a label that are left after they had time to end.
func settled(mark string) []string {
	deadline := time.Now().Add(2 * time.Second)
	for {
		left := labelled(mark)
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		runtime.Gosched()
	}
}

// labelled returns the stacks of the goroutines that carry a label, those alike as one.
func labelled(mark string) []string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return []string{err.Error()}
	}
	var found []string
	for block := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(block, `"plugintest":"`+mark+`"`) {
			found = append(found, block)
		}
	}
	return found
}
