package sdkcompat

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// conversation is one use of an API over some turns, and all that comes of it.
type conversation struct {
	name   string
	wish   wish
	script []step
	turns  []func(session)
}

// trace is what came of a conversation.
type trace struct {
	Seen  []outcome // by the application
	Asked []asked   // of the upstream
}

// run plays a conversation.
func (c *conversation) run(t *testing.T, s session, f *fake, stream bool) trace {
	t.Helper()
	var got trace
	for _, turn := range c.turns {
		turn(s)
		got.Seen = append(got.Seen, s.ask(t.Context(), t, stream))
	}
	got.Asked = f.questions()
	return got
}

// TestMatrix holds each SDK against each dialect. A conversation through the proxy must be for the application what it
// is with an upstream of its own dialect and nothing in between, and must ask the upstream for the same, whether
// it is streamed or not.
//
// What the dialects cannot carry is left out by said and asked: ids of messages, whether a refusal has a place of its
// own (Anthropic's is a text), names and strictness of schemas (Anthropic's have none), and the exact budget of thinking.
func TestMatrix(t *testing.T) {
	t.Parallel()
	for _, client := range sdks() {
		for _, c := range conversations() {
			for _, d := range dialects() {
				for _, stream := range []bool{false, true} {
					t.Run(client.dialect+" to "+d.name+"/"+c.name+map[bool]string{true: " streamed"}[stream], func(t *testing.T) {
						t.Parallel()
						testConversation(t, client, d, &c, stream)
					})
				}
			}
		}
	}
}

func testConversation(t *testing.T, client sdk, d *dialect, c *conversation, stream bool) {
	t.Helper()
	own := newFake(dialectOf(client.dialect), c.script...)
	defer closeFake(t, own)
	want := c.run(t, client.open(t, own.direct(), c.wish), own, stream)
	for i, s := range want.Seen {
		checkSeen(t, c.script[i].said, s)
	}
	up := newFake(d, c.script...)
	t.Cleanup(func() { closeFake(t, up) }) // after the proxy's end
	got := c.run(t, client.open(t, up.proxied(t), c.wish), up, stream)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trace (-direct +through the proxy):\n%s", diff)
	}
}

// checkSeen holds what an application sees against what the upstream says, so that the comparison is not one of
// nothing with nothing.
func checkSeen(t *testing.T, want said, got outcome) {
	t.Helper()
	same(t, "answer", want, said{
		Thought: got.Thought, Secret: want.Secret, Text: got.Text[:len(got.Text)-len(want.Refusal)],
		Refusal: got.Text[len(got.Text)-len(want.Refusal):], Calls: got.Calls, End: got.End,
	})
	same(t, "tokens", [3]int64{inputTokens, cachedTokens, outputTokens}, [3]int64{got.Input, got.Cached, got.Output})
}

func dialectOf(name string) *dialect {
	for _, d := range dialects() {
		if d.name == name {
			return d
		}
	}
	return nil
}

func closeFake(t *testing.T, f *fake) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Errorf("close upstream: %v", err)
	}
}

func conversations() []conversation {
	const image = "iVBORw0KGgo="
	say := func(text string, images ...string) func(session) {
		return func(s session) { s.user(text, images...) }
	}
	results := func(list ...toolResult) func(session) {
		return func(s session) { s.results(list...) }
	}
	answer := func(s said) step { return step{said: s} }
	hi := []func(session){say("Grüße & \"Hi\"\n")}
	thought := said{Thought: "Let me think <about> it.", Secret: "EqQBc2VjcmV0/+8=", Text: "Well, yes.", End: "end"}
	wien := functionCall{"call_a1", toolName, `{"request":"Wien"}`}
	return []conversation{
		{name: "text", wish: wish{System: "Be brief."}, turns: hi, script: []step{answer(said{Text: greeting, End: "end"})}},
		{name: "out of tokens", turns: hi, script: []step{answer(said{Text: "One two", End: "length"})}},
		{name: "filtered", turns: hi, script: []step{answer(said{Text: "One two", End: "filter"})}},
		{name: "refused", turns: hi, script: []step{answer(said{Refusal: "I will not.", End: "filter"})}},
		{name: "image", turns: []func(session){say("What is it?", image)}, script: []step{answer(said{Text: "Wien", End: "end"})}},
		{
			name: "schema", wish: wish{Schema: true}, turns: hi,
			script: []step{answer(said{Text: `{"city":"Wien"}`, End: "end"})},
		},
		{
			name: "two tools over three turns", wish: wish{System: "Use tools.", Tools: true},
			turns: []func(session){
				say("Weather and time?"),
				results(toolResult{"call_a1", "22 degrees\n\"warm\""}, toolResult{"call_b2", "noon"}),
				results(toolResult{"call_c3", "rain"}), say("Thanks."),
			},
			script: []step{
				answer(said{Text: "I look.", Calls: []functionCall{wien, {"call_b2", "clock", `{}`}}, End: "tools"}),
				answer(said{Calls: []functionCall{{"call_c3", toolName, `{"request":"Graz \u0026 \"Linz\""}`}}, End: "tools"}),
				answer(said{Text: "Warm in Wien.", End: "end"}),
				answer(said{Text: "You are welcome.", End: "end"}),
			},
		},
		{
			name: "a tool that must be called", wish: wish{Tools: true, Choice: "required"}, turns: hi,
			script: []step{answer(said{Calls: []functionCall{wien}, End: "tools"})},
		},
		{
			name: "one tool that must be called", wish: wish{Tools: true, Choice: toolName}, turns: hi,
			script: []step{answer(said{Calls: []functionCall{wien}, End: "tools"})},
		},
		{
			name: "thinking over two turns", wish: wish{Think: true}, turns: []func(session){say("Why?"), say("Sure?")},
			script: []step{answer(thought), answer(said{Text: "Sure.", End: "end"})},
		},
		{
			name: "thinking before a tool", wish: wish{Think: true, Tools: true},
			turns: []func(session){say("Weather?"), results(toolResult{"call_a1", "22 degrees"})},
			script: []step{
				answer(said{Thought: thought.Thought, Secret: thought.Secret, Calls: []functionCall{wien}, End: "tools"}),
				answer(thought),
			},
		},
	}
}

// A conversation that goes on with another vendor takes along what was said, and nothing that only the first one can
// read, be it in clear or in the form in which the client was given it.
func TestMatrixSwitch(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0LW9mLW9uZQ"
	for _, client := range sdks() {
		for _, first := range dialects() {
			for _, second := range dialects() {
				if first.name == second.name {
					continue
				}
				t.Run(client.dialect+" to "+first.name+" to "+second.name, func(t *testing.T) {
					t.Parallel()
					one := newFake(first, step{said: said{Thought: "Hm.", Secret: secret, Text: "One.", End: "end"}})
					two := newFake(second, step{said: said{Text: "Two.", End: "end"}})
					t.Cleanup(func() { closeFake(t, one); closeFake(t, two) })
					s := client.open(t, one.proxied(t), wish{Think: true})
					s.user("First?")
					if got := s.ask(t.Context(), t, true); got.Thought != "Hm." {
						t.Errorf("first answer %+v", got)
					}
					s.move(two.proxied(t))
					s.user("Second?")
					if got := s.ask(t.Context(), t, true); got.Text != "Two." {
						t.Errorf("second answer %+v", got)
					}
					last, _ := two.Last()
					for _, part := range []string{secret, "ccproxy1."} {
						if bytes.Contains(last.Body, []byte(part)) {
							t.Errorf("the second upstream is sent %q in %s", part, last.Body)
						}
					}
					heard := two.questions()[0].Turns
					for i := range heard {
						heard[i].Thoughts = nil // Chat's upstreams get the words, as some want to see them
					}
					same(t, "turns", []turn{
						{Role: "user", Texts: []string{"First?"}},
						{Role: "assistant", Texts: []string{"One."}},
						{Role: "user", Texts: []string{"Second?"}},
					}, heard)
				})
			}
		}
	}
}

func TestMatrixModels(t *testing.T) {
	t.Parallel()
	for _, client := range sdks() {
		for _, d := range dialects() {
			t.Run(client.dialect+" to "+d.name, func(t *testing.T) {
				t.Parallel()
				up := newFake(d)
				t.Cleanup(func() { closeFake(t, up) })
				ids, err := client.open(t, up.proxied(t), wish{}).models(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				same(t, "models", []string{model}, ids)
			})
		}
	}
}

// A client that leaves ends the request to the upstream, which has said nothing yet or is in the middle of it.
func TestMatrixCancel(t *testing.T) {
	t.Parallel()
	for _, client := range sdks() {
		for _, d := range dialects() {
			for name, stream := range map[string]bool{"waiting": false, "streaming": true} {
				t.Run(client.dialect+" to "+d.name+"/"+name, func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					up := newFake(d, step{said: said{Text: "One two", End: "end"}, hold: true, began: cancel})
					t.Cleanup(func() { closeFake(t, up) })
					s := client.open(t, up.proxied(t), wish{})
					s.user("Hi")
					same(t, "answer", outcome{Failure: &failed{Canceled: true}}, s.ask(ctx, t, stream))
					select {
					case <-up.Canceled():
					case <-time.After(10 * time.Second): // only turns a hang into a failure
						t.Error("the upstream does not see that the client has gone")
					}
				})
			}
		}
	}
}
