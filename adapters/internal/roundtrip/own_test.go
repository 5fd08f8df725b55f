package roundtrip

import (
	"slices"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
)

// dialect is one of the three, by the letter that the tables of losses have for it.
type dialect struct {
	letter  string
	codec   adapters.Codec
	request func(*gen) *node
	answer  func(*gen) *node
	stream  func(*gen, *node) []adapters.Event
	// spell brings a body into the spelling that the codec writes, where several mean the same.
	spellRequest, spellAnswer func(*node)
}

func dialects() []dialect {
	return []dialect{
		{"A", anthropic.Codec(), (*gen).requestA, (*gen).answerA, streamA, func(*node) {}, func(*node) {}},
		{"C", openai.Chat(), (*gen).requestC, (*gen).answerC, streamC, spellRequestC, spellAnswerC},
		{"R", openai.Responses(), (*gen).requestR, (*gen).answerR, streamR, spellRequestR, spellAnswerR},
	}
}

// cases is how many conversations are made of each kind.
func cases(full int) uint64 {
	if raceEnabled || testing.Short() {
		full /= 50
	}
	return uint64(full)
}

// What a client or an upstream says comes back from its own dialect as it was, unknown members included.
func TestOwnRequests(t *testing.T) {
	t.Parallel()
	for i, d := range dialects() {
		t.Run(d.letter, func(t *testing.T) {
			t.Parallel()
			for seed := range cases(9000) {
				body := d.request(newGen(seed, uint64(i)))
				var lost canonical.Losses
				in := body.render(nil)
				req, err := d.codec.Requests().DecodeRequest(in)
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, in)
				}
				out, err := d.codec.Requests().EncodeRequest(req, &lost)
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, in)
				}
				d.spellRequest(body)
				same(t, seed, body, out, lost.List)
			}
		})
	}
}

func TestOwnAnswers(t *testing.T) {
	t.Parallel()
	for i, d := range dialects() {
		t.Run(d.letter, func(t *testing.T) {
			t.Parallel()
			for seed := range cases(7000) {
				body := d.answer(newGen(seed, 10+uint64(i)))
				var lost canonical.Losses
				in := body.render(nil)
				resp, err := d.codec.Responses().DecodeResponse(in)
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, in)
				}
				out, err := d.codec.Responses().EncodeResponse(resp, nil, &lost)
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, in)
				}
				d.spellAnswer(body)
				same(t, seed, body, out, lost.List)
			}
		})
	}
}

// A stream that is put together is the answer that was streamed.
func TestOwnStreams(t *testing.T) {
	t.Parallel()
	for i, d := range dialects() {
		t.Run(d.letter, func(t *testing.T) {
			t.Parallel()
			var p problems
			for seed := range cases(1500) {
				g := newGen(seed, 30+uint64(i))
				answer := d.answer(g)
				withoutUnstreamed(answer)
				tr := trip{from: d, via: d, answer: true, streamed: true}
				tr.start = answerOf(t, d, answer.render(nil), nil)
				tr.end, tr.middle = answerOf(t, d, nil, d.stream(g, answer)), tr.start
				p.add(seed, &tr)
			}
			p.report(t)
		})
	}
}

// withoutUnstreamed takes away what the fragments of a stream do not have here.
func withoutUnstreamed(answer *node) {
	if answer.get("choices") == nil {
		return
	}
	for _, c := range answer.get("choices").kids {
		c.set("logprobs", lit("null"))
		for _, n := range []*node{c, c.get("message")} {
			for _, name := range slices.Clone(n.names) {
				if strings.HasPrefix(name, "x_") {
					n.remove(name)
				}
			}
		}
	}
}

func same(t *testing.T, seed uint64, want *node, out []byte, lost []canonical.Loss) {
	t.Helper()
	got, err := parse(out)
	if err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, out)
	}
	if diff := differences(want, got, "", nil); diff != nil || lost != nil {
		t.Fatalf("seed %d: differs:\n%s\nlosses %v\n in %s\nout %s", seed, lines(diff), lost, want.render(nil), out)
	}
}

func lines(list []string) string {
	s := ""
	for _, l := range list {
		s += l + "\n"
	}
	return s
}
