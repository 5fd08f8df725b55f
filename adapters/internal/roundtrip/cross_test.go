package roundtrip

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// converter brings a body from one dialect into another.
type converter = func(from, to dialect, in []byte) ([]byte, []canonical.Loss, error)

func convertRequest(from, to dialect, in []byte) ([]byte, []canonical.Loss, error) {
	req, err := from.codec.Requests().DecodeRequest(in)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %s", from.letter, err, in)
	}
	var lost canonical.Losses
	out, err := to.codec.Requests().EncodeRequest(req, &lost)
	return out, lost.List, err
}

func convertAnswer(from, to dialect, in []byte) ([]byte, []canonical.Loss, error) {
	resp, err := from.codec.Responses().DecodeResponse(in)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w: %s", from.letter, err, in)
	}
	var lost canonical.Losses
	out, err := to.codec.Responses().EncodeResponse(resp, nil, &lost)
	return out, lost.List, err
}

// go sends a body through another dialect and back.
func (t *trip) run(there, back converter) error {
	out, lost, err := there(t.from, t.via, t.start.render(nil))
	if err != nil {
		return err
	}
	t.there = lost
	if t.middle, err = parse(out); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if out, t.back, err = back(t.via, t.from, out); err != nil {
		return err
	}
	if t.end, err = parse(out); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// ways are all pairs of two dialects.
func ways() [][2]dialect {
	var list [][2]dialect
	all := dialects()
	for _, from := range all {
		for _, via := range all {
			if from.letter != via.letter {
				list = append(list, [2]dialect{from, via})
			}
		}
	}
	return list
}

// What goes through another dialect comes back as it was, but for what was reported.
func TestRequestsThrough(t *testing.T) {
	t.Parallel()
	seen := watch(t, "request")
	for i, way := range ways() {
		from, via := way[0], way[1]
		t.Run(from.letter+via.letter+from.letter, func(t *testing.T) {
			t.Parallel()
			var p problems
			for seed := range cases(4500) {
				tr := trip{from: from, via: via, start: from.request(newGen(seed, 20+uint64(i)))}
				from.spellRequest(tr.start)
				if err := tr.run(convertRequest, convertRequest); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				p.add(seed, &tr)
				seen.add(from, via, tr.there)
				seen.add(via, from, tr.back)
			}
			p.report(t)
		})
	}
}

func TestAnswersThrough(t *testing.T) {
	t.Parallel()
	seen := watch(t, "answer")
	for i, way := range ways() {
		from, via := way[0], way[1]
		t.Run(from.letter+via.letter+from.letter, func(t *testing.T) {
			t.Parallel()
			var p problems
			for seed := range cases(3000) {
				tr := trip{from: from, via: via, start: from.answer(newGen(seed, 40+uint64(i))), answer: true}
				if err := tr.run(convertAnswer, convertAnswer); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				p.add(seed, &tr)
				seen.add(from, via, tr.there)
				seen.add(via, from, tr.back)
			}
			p.report(t)
		})
	}
}

// What is streamed to a client is what the client gets that asks for the whole answer.
func TestStreamsAsWhole(t *testing.T) {
	t.Parallel()
	seen := watch(t, "stream")
	convert := conversions(t)
	for i, way := range ways() {
		from, to := way[0], way[1]
		t.Run(from.letter+to.letter, func(t *testing.T) {
			t.Parallel()
			var p problems
			for seed := range cases(1500) {
				g := newGen(seed, 60+uint64(i))
				answer := from.answer(g)
				in := from.stream(g, answer)
				var lost canonical.Losses
				out, err := drain(convert(from, to).ConvertStreamFor(t.Context(), stream(in), &canonical.Request{IncludeUsage: true}, &lost))
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				checkStream(t, from, to, in, out, err)
				seen.add(from, to, lost.List)
				whole, _, err := convertAnswer(from, to, answer.render(nil))
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				tr := trip{from: to, via: from, answer: true, streamed: true}
				tr.start, tr.end = answerOf(t, to, whole, nil), answerOf(t, to, nil, out)
				tr.middle = tr.start
				p.add(seed, &tr)
			}
			p.report(t)
		})
	}
}

// answerOf is an answer as a client gets it after another pass through its own dialect, whole or as a stream.
func answerOf(t *testing.T, d dialect, whole []byte, events []adapters.Event) *node {
	t.Helper()
	var resp *canonical.Response
	var err error
	if events == nil {
		resp, err = d.codec.Responses().DecodeResponse(whole)
	} else {
		resp, err = adapters.Collect(d.codec.DecodeStream(), stream(events))
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := d.codec.Responses().EncodeResponse(resp, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := parse(body)
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return n
}

// problems collects what is wrong, each kind with one example.
type problems map[string]string

func (p *problems) add(seed uint64, tr *trip) {
	for _, s := range tr.check() {
		if *p == nil {
			*p = problems{}
		}
		old, ok := (*p)[s]
		if ok && len(old) < 1500 {
			continue
		}
		example := fmt.Sprintf("seed %d\n  %s\n  %s\n  %s\n  there %v\n  back %v", seed,
			tr.start.render(nil), tr.middle.render(nil), tr.end.render(nil), tr.there, tr.back)
		if !ok || len(example) < len(old) {
			(*p)[s] = example
		}
	}
}

func (p *problems) report(t *testing.T) {
	t.Helper()
	for _, s := range slices.Sorted(maps.Keys(*p)) {
		t.Errorf("%s\n%s", s, (*p)[s])
	}
}
