package permissions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy"
)

// TestCheck is what the provider claude_sdk does.
func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answer  Answer
		allowed bool
		message string
	}{
		{name: "allowed", answer: Answer{Allow: true}, allowed: true},
		{name: "denied", answer: Answer{}, message: "The use of Bash was not permitted."},
		{name: "denied with a reason", answer: Answer{Reason: "not on a Friday"}, message: "not on a Friday"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &Service{newDesk(DefaultConfig(), nil)}
			defer s.desk.close()
			requests, err := s.Watch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var seen []Status
			var all sync.WaitGroup
			all.Go(func() {
				for r := range requests {
					seen = append(seen, r.Status)
					if r.Status != Pending {
						return
					}
					input := Answer{Allow: true, UpdatedInput: json.RawMessage(`{}`)}
					if _, err := s.Answer(r.ID, input); !errors.Is(err, ErrNotEditable) {
						t.Errorf("an input that nobody would use: %v", err)
					}
					if _, err := s.Answer(r.ID, tt.answer); err != nil {
						t.Error(err)
					}
				}
			})
			allowed, message, err := s.Check(t.Context(), "Bash", "", json.RawMessage(`{"command":"ls"}`))
			all.Wait()
			if err != nil || allowed != tt.allowed || message != tt.message || len(seen) != 2 {
				t.Errorf("%t %q %v, seen %v", allowed, message, err, seen)
			}
		})
	}
}

// TestCheckWithDeadline has the asker's time end, and the desk's own: whichever is first, or both at the same moment,
// the asker is told the same.
func TestCheckWithDeadline(t *testing.T) {
	t.Parallel()
	for _, limit := range []time.Duration{20 * time.Second, DefaultConfig().Timeout, 2 * time.Minute} {
		t.Run(limit.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testDeadline(t, limit) })
		})
	}
}

func testDeadline(t *testing.T, limit time.Duration) {
	t.Helper()
	c := DefaultConfig()
	s := &Service{newDesk(c, nil)}
	defer s.desk.close()
	for i := range 50 {
		ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("enough"))
		began, id := time.Now(), fmt.Sprint("toolu_", i)
		allowed, message, err := s.Check(ctx, "Bash", id, nil)
		if after, want := time.Since(began), min(limit, c.Timeout); after != want || len(s.Pending()) != 0 {
			t.Errorf("after %v, %d pending; want none after %v", after, len(s.Pending()), want)
		}
		if want := "Nobody answered in time whether Bash may be used."; allowed || message != want || err != nil {
			t.Fatalf("%t, %q, %v; want %q", allowed, message, err, want)
		}
		if again, _ := s.desk.ask(Question{Tool: "Bash", ToolUseID: id, Source: "service"}, false); again.request.Status != Pending {
			t.Errorf("who asks again is told of the first: %s", again.request.Status)
		}
		cancel()
		s.desk.close()
		s.desk = newDesk(c, nil)
	}
}

// TestCheckSaysWhoAsks holds that people are told whose question it is, and of which use of a tool.
func TestCheckSaysWhoAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &Service{newDesk(DefaultConfig(), nil)}
		defer s.desk.close()
		go func() {
			ctx := ccproxy.ContextWithCaller(t.Context(), ccproxy.Caller{ID: "ann"})
			_, _, _ = s.Check(ctx, "Bash", "toolu_1", nil)
		}()
		synctest.Wait()
		pending := s.Pending()
		if len(pending) != 1 {
			t.Fatalf("pending: %v", pending)
		}
		v := newView(&pending[0])
		if diff := cmp.Diff([]string{"ann", "toolu_1", "service"}, []string{v.Caller, v.ToolUseID, v.Source}); diff != "" {
			t.Errorf("question (-want +got):\n%s", diff)
		}
		if _, err := s.Answer(v.ID, Answer{}); err != nil {
			t.Error(err)
		}
	})
}
