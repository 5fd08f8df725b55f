package permissions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		d := newDesk(c, nil)
		s := &Service{d}
		began := time.Now()
		r, err := s.Ask(context.Background(), Question{Tool: "Bash"})
		if err != nil || r.Status != Expired || time.Since(began) != c.Timeout {
			t.Errorf("after %v: %v, %v; want expired after %v", time.Since(began), r.Status, err, c.Timeout)
		}
		if _, err := s.Answer(r.ID, Answer{Allow: true}); !errors.Is(err, ErrExpired) {
			t.Errorf("an answer that comes too late: %v, want %v", err, ErrExpired)
		}
		time.Sleep(c.Keep - time.Second)
		if kept, err := s.Lookup(r.ID); err != nil || kept.Status != Expired {
			t.Errorf("before it is forgotten: %v, %v", kept.Status, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := s.Answer(r.ID, Answer{Allow: true}); !errors.Is(err, ErrUnknown) {
			t.Errorf("when it is forgotten: %v, want %v", err, ErrUnknown)
		}
		if len(d.entries)+len(d.order)+len(d.kept)+len(d.uses)+d.bytes+d.pending != 0 {
			t.Errorf("something is left: %+v", d)
		}
	})
}

// TestAnswerAtTheEnd has an answer and the expiry at the very same moment: whoever is first, all are told the same.
func TestAnswerAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(DefaultConfig(), nil)
		for range 50 {
			e, err := d.ask(Question{Tool: "Bash"}, true)
			if err != nil {
				t.Fatal(err)
			}
			answered := make(chan error, 1)
			go func() {
				time.Sleep(d.timeout)
				_, err := d.answer(e.request.ID, Answer{Allow: true})
				answered <- err
			}()
			r, err := d.wait(t.Context(), e, 0)
			if err != nil || r.Status != Expired {
				t.Errorf("at the end: %v, %v; want expired", r.Status, err)
			}
			if err := <-answered; !errors.Is(err, ErrExpired) {
				t.Errorf("answer at the end: %v", err)
			}
		}
		d.close()
	})
}

func TestRaceOfAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(DefaultConfig(), nil)
	defer d.close()
	for range 200 {
		e, err := d.ask(Question{Tool: "Bash"}, true)
		if err != nil {
			t.Fatal(err)
		}
		var won, lost atomic.Int32
		var winner atomic.Value
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				name := fmt.Sprint(i)
				_, err := d.answer(e.request.ID, Answer{Allow: i%2 == 0, By: name})
				switch {
				case err == nil:
					won.Add(1)
					winner.Store(name)
				case errors.Is(err, ErrAnswered):
					lost.Add(1)
				}
			})
		}
		r, err := d.wait(t.Context(), e, 0)
		all.Wait()
		if err != nil || won.Load() != 1 || lost.Load() != 7 || r.By != winner.Load() {
			t.Fatalf("%d won, %d lost, the asker was told of %s, the winner is %v; %v",
				won.Load(), lost.Load(), r.By, winner.Load(), err)
		}
		if want := (r.By[0]-'0')%2 == 0; (r.Status == Allowed) != want {
			t.Fatalf("%s answered, the request is %s", r.By, r.Status)
		}
	}
}

func TestWithdrawal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		back    time.Duration // when the asker comes back, 0 for never
		service bool
		want    Status
		after   time.Duration
	}{
		{name: "asker does not come back", want: Withdrawn, after: 5*time.Second + grace},
		{name: "asker comes back", back: grace / 2, want: Expired, after: time.Minute},
		{name: "asker of the service", service: true, want: Withdrawn, after: 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(DefaultConfig(), nil)
				defer d.close()
				began := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(5*time.Second, cancel)
				q := Question{Tool: "Bash", ToolUseID: "toolu_1"}
				e, err := d.ask(q, true)
				if err != nil {
					t.Fatal(err)
				}
				patience := grace
				if tt.service {
					patience = 0
				}
				if _, err := d.wait(ctx, e, patience); !errors.Is(err, context.Canceled) {
					t.Errorf("wait: %v", err)
				}
				if tt.back > 0 {
					time.Sleep(tt.back)
					again, err := d.ask(q, true)
					if err != nil || again != e {
						t.Fatalf("asking again makes another question; %v", err)
					}
				}
				<-e.done
				if e.request.Status != tt.want || time.Since(began) != tt.after {
					t.Errorf("%s after %v, want %s after %v", e.request.Status, time.Since(began), tt.want, tt.after)
				}
			})
		})
	}
}

func TestAskAgain(t *testing.T) {
	t.Parallel()
	base := Question{Tool: "Bash", Input: json.RawMessage(`{"command":"ls"}`), ToolUseID: "toolu_1", Caller: "ann"}
	tests := []struct {
		name   string
		change func(q *Question, id string)
		same   bool
		err    error
	}{
		{name: "by the id", change: func(q *Question, id string) { q.ID = id }, same: true},
		{name: "by the id, another input", err: ErrUnknown, change: func(q *Question, id string) {
			q.ID, q.Input = id, json.RawMessage(`{"command":"rm"}`)
		}},
		{name: "by the id, another tool", change: func(q *Question, id string) { q.ID, q.Tool = id, "Write" }, err: ErrUnknown},
		{name: "by the id, another caller", change: func(q *Question, id string) { q.ID, q.Caller = id, "bob" }, err: ErrUnknown},
		{name: "by an id that is not there", change: func(q *Question, _ string) { q.ID = "x" }, err: ErrUnknown},
		{name: "by the call", change: func(*Question, string) {}, same: true},
		{name: "by the call, another input", change: func(q *Question, _ string) { q.Input = json.RawMessage(`{}`) }},
		{name: "by the call, another caller", change: func(q *Question, _ string) { q.Caller = "bob" }},
		{name: "by nothing", change: func(q *Question, _ string) { q.ToolUseID = "" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(DefaultConfig(), nil)
			defer d.close()
			first, err := d.ask(base, false)
			if err != nil {
				t.Fatal(err)
			}
			q := base
			tt.change(&q, first.request.ID)
			again, err := d.ask(q, false)
			if !errors.Is(err, tt.err) || err == nil && (again == first) != tt.same {
				t.Errorf("same %t, %v; want %t, %v", again == first, err, tt.same, tt.err)
			}
		})
	}
}

// TestDeliveredOnce holds that an answer counts for one call: a model that calls twice under one id is asked for twice.
func TestDeliveredOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(DefaultConfig(), nil)
	defer d.close()
	q := Question{Tool: "Bash", ToolUseID: "toolu_1"}
	e, _ := d.ask(q, true)
	if _, err := d.answer(e.request.ID, Answer{Allow: true}); err != nil {
		t.Fatal(err)
	}
	if again, _ := d.ask(q, false); again != e {
		t.Error("an answer that nobody has fetched is not there for who asks again")
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	d.leave(gone, e)
	if again, _ := d.ask(q, true); again != e {
		t.Error("an answer that came when its client had gone is not there for who asks again")
	}
	if r, err := d.wait(t.Context(), e, 0); err != nil || r.Status != Allowed {
		t.Errorf("wait: %v, %v", r.Status, err)
	}
	if again, _ := d.ask(q, false); again == e || again.request.Status != Pending {
		t.Error("the second call is allowed by the answer to the first")
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	c := DefaultConfig()
	c.MaxPending, c.MaxWatchers = 2, 1
	d := newDesk(c, nil)
	defer d.close()
	big := json.RawMessage(`{"a":"` + strings.Repeat("x", maxInput-100) + `"}`)
	for range 2 {
		if _, err := d.ask(Question{Tool: "Write"}, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.ask(Question{Tool: "Write"}, false); !errors.Is(err, ErrTooMany) {
		t.Errorf("a question too many: %v", err)
	}
	slow, pending, err := d.watch()
	if err != nil || len(pending) != 2 {
		t.Fatalf("watch: %d pending, %v", len(pending), err)
	}
	if _, _, err := d.watch(); !errors.Is(err, ErrTooMany) {
		t.Errorf("a watcher too many: %v", err)
	}
	for _, r := range pending {
		_, _ = d.answer(r.ID, Answer{})
	}
	for i := range eventBuffer {
		input := big
		if i >= 32 {
			input = nil
		}
		e, err := d.ask(Question{Tool: "Write", Input: input}, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.answer(e.request.ID, Answer{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, kept, watching := d.state(); !slow.slow || watching != 0 || kept > maxKept || d.bytes > maxKeptBytes || kept < 10 {
		t.Errorf("slow watcher let go: %t; %d watch, %d are kept with %d bytes", slow.slow, watching, kept, d.bytes)
	}
	if len(d.entries) != len(d.kept) || len(d.order) != len(d.kept) {
		t.Errorf("%d entries, %d in order, %d kept", len(d.entries), len(d.order), len(d.kept))
	}
}

func TestQuestionsThatAreNone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		q    Question
	}{
		{name: "no tool", q: Question{}},
		{name: "long name", q: Question{Tool: strings.Repeat("x", maxName+1)}},
		{name: "name is no text", q: Question{Tool: "\xff"}},
		{name: "input is an array", q: Question{Tool: "a", Input: json.RawMessage(`[]`)}},
		{name: "input is no JSON", q: Question{Tool: "a", Input: json.RawMessage(`{"a":}`)}},
		{name: "input is no text", q: Question{Tool: "a", Input: json.RawMessage("{\"a\":\"\xff\"}")}},
		{name: "input is large", q: Question{Tool: "a", Input: json.RawMessage(`{"a":"` + strings.Repeat("x", maxInput) + `"}`)}},
		{name: "input is deep", q: Question{Tool: "a", Input: json.RawMessage(
			`{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(DefaultConfig(), nil)
			if _, err := d.ask(tt.q, false); !errors.Is(err, ErrInvalid) || d.pending != 0 {
				t.Errorf("%v, %d pending; want %v", err, d.pending, ErrInvalid)
			}
		})
	}
	d := newDesk(DefaultConfig(), nil)
	t.Cleanup(d.close)
	brackets := json.RawMessage(`{"a":"\"` + strings.Repeat("[", 1000) + `"}`)
	if _, err := d.ask(Question{Tool: "a", Input: brackets}, false); err != nil {
		t.Errorf("brackets in a text: %v", err)
	}
}

func TestStopRefuses(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	d := newDesk(DefaultConfig(), stopping)
	e, _ := d.ask(Question{Tool: "Bash"}, true)
	close(stopping)
	if _, err := d.wait(t.Context(), e, grace); !errors.Is(err, ErrStopped) {
		t.Errorf("while draining: %v", err)
	}
	if _, err := d.answer(e.request.ID, Answer{Allow: true}); !errors.Is(err, ErrExpired) {
		t.Errorf("answer: %v", err)
	}
	d.close()
	if _, err := d.ask(Question{Tool: "Bash"}, true); !errors.Is(err, ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
	if _, _, err := d.watch(); !errors.Is(err, ErrStopped) {
		t.Errorf("watching after the end: %v", err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{name: "plain", in: "Bash ä 漢 €", want: "Bash ä 漢 €"},
		{name: "terminal commands", in: "a\x1b[2Jb\r\n\x07\u009b", want: `a\u001b[2Jb\u000d\u000a\u0007\u009b`},
		{name: "direction and no width", in: "a\u202eb\u200bc\u2066", want: `a\u202eb\u200bc\u2066`},
		{name: "tags", in: "a\U000e0041", want: `a\U000e0041`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Plain(tt.in)); diff != "" {
				t.Errorf("Plain mismatch (-want +got):\n%s", diff)
			}
		})
	}
	got := InputText(json.RawMessage("{\"a\":1,\"a\":\"<b>\u202e\\u202e\"}"))
	if diff := cmp.Diff("{\n  \"a\": 1,\n  \"a\": \"<b>\\u202e\\u202e\"\n}", got); diff != "" {
		t.Errorf("InputText mismatch (-want +got):\n%s", diff)
	}
}
