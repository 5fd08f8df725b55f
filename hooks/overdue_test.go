package hooks

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestBackWhileGivenUp has a mutator come back in the very moment in which its time is found to be over: whoever waited
// gives up that one, and not the next, which has all of its time.
func TestBackWhileGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reg Registry
		back, end := make(chan struct{}), make(chan struct{})
		add := func(name string, o Options, prepare func(context.Context, *PreparedRequest) error) {
			if _, err := reg.Register(Mutate(name, prepare), o); err != nil {
				t.Fatal(err)
			}
		}
		add("late", Options{Timeout: time.Second}, func(context.Context, *PreparedRequest) error { <-back; return nil })
		add("next", Options{Timeout: time.Minute, FailClosed: true}, func(context.Context, *PreparedRequest) error {
			<-end
			return nil
		})
		r := &round{
			ctx: t.Context(), mutators: reg.table.Load().mutators, scans: &reg.scans, done: make(chan struct{}),
			req: NewPreparedRequest([]byte(`{}`)),
		}
		go r.run(r.next())
		time.Sleep(time.Second)
		if _, waiting := r.left(time.Second); waiting { // what prepare does when its timer fires
			t.Fatal("it is waited for beyond its timeout")
		}
		close(back)
		synctest.Wait()
		if n, err := r.leave(); n != 1 || err != nil { // and what it does then
			t.Errorf("%d mutators were dealt with, %v; want the late one alone", n, err)
		}
		close(end)
		<-r.done
	})
}
