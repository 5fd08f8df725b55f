package hooks_test

import (
	"context"
	"fmt"

	"github.com/ccproxy-go/ccproxy/hooks"
)

// tagger is a Hook that is a Mutator too: it marks requests before they are sent and counts those that were.
type tagger struct {
	team string
	sent int
}

func (*tagger) Name() string          { return "tagger" }
func (*tagger) Events() []hooks.Event { return []hooks.Event{hooks.EventProviderRequestSent} }

// Handle is called with one event at a time, so sent needs no lock.
func (t *tagger) Handle(context.Context, *hooks.Context) error {
	t.sent++
	return nil
}

// Prepare implements [hooks.Mutator].
func (t *tagger) Prepare(_ context.Context, req *hooks.PreparedRequest) error {
	req.Header.Set("X-Team", t.team)
	return nil
}

var _ hooks.Mutator = (*tagger)(nil)

// One hook may both change requests and observe what becomes of them. Stats count the two together.
func ExampleMutator() {
	var reg hooks.Registry
	hook := &tagger{team: "a"}
	if _, err := reg.Register(hook, hooks.Options{Plugin: "teams"}); err != nil {
		fmt.Println(err)
		return
	}
	req := hooks.NewPreparedRequest([]byte(`{}`))
	if err := reg.Prepare(context.Background(), req); err != nil {
		fmt.Println(err)
	}
	reg.Emit(hooks.Context{Payload: &hooks.ProviderRequestSent{Model: "large"}})
	_ = reg.Flush(context.Background())

	delivered := func(s hooks.Stats) int64 { return s.Delivered }
	fmt.Println(req.Header, hook.sent, delivered(reg.Stats()[0]))
	_ = reg.Close(context.Background())
	// Output: map[X-Team:[a]] 1 2
}
