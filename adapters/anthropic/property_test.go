package anthropic

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// dice makes random values of the neutral model, as far as this dialect can say them.
type dice struct{ *rand.Rand }

func (d dice) maybe() bool { return d.IntN(2) == 0 }

func (d dice) token() canonical.Token {
	words := []string{"", "a", "two words", "q\"uo\\te", "l1\nl2\ttab", "é 世 🙂", "</x>&", "\x01"}
	return tok(words[d.IntN(len(words))] + strconv.Itoa(d.IntN(100)))
}

func (d dice) id() canonical.Token { return tok("toolu_" + strconv.Itoa(d.IntN(1000))) }

func (d dice) raw() canonical.Raw {
	values := []string{`1.0`, `"s"`, `{"a":[1,{"b":null}]}`, `[]`, `true`, `{ "z" : 1 }`}
	return canonical.Raw(values[d.IntN(len(values))])
}

func (d dice) someRaw() canonical.Raw {
	if d.maybe() {
		return nil
	}
	return d.raw()
}

func (d dice) extra() (list []canonical.Field) {
	for i := range d.IntN(3) {
		list = append(list, canonical.Field{Name: "x_" + strconv.Itoa(i), Raw: d.raw()})
	}
	return list
}

func (d dice) media() *canonical.Media {
	m := &canonical.Media{Extra: d.extra()}
	switch d.IntN(4) {
	case 0:
		m.MIME, m.Data = tok("image/png"), tok("AAAA")
	case 1:
		m.MIME, m.Text = tok("text/plain"), d.token()
	case 2:
		m.URL = tok("https://example.com/x")
	default:
		m.FileID = d.id()
	}
	if d.maybe() {
		m.Filename = d.token()
	}
	return m
}

func (d dice) part(depth int) canonical.Part {
	p := canonical.Part{CacheControl: d.someRaw()}
	switch d.IntN(7) {
	case 0:
		p.Kind, p.Text, p.Signature, p.Extra = canonical.PartThinking, d.token(), d.token(), d.extra()
	case 1:
		p.Kind, p.Signature, p.Extra = canonical.PartRedacted, d.token(), d.extra()
	case 2:
		p.Kind, p.Media, p.Extra = canonical.PartDocument, d.media(), d.extra()
		p.Citations = d.someRaw()
	case 3:
		p.Kind = canonical.PartToolCall
		p.Call = &canonical.ToolCall{ID: d.id(), Name: d.token(), Extra: d.extra(), Args: canonical.Args{Object: canonical.Raw(`{"a":1}`)}}
	case 4:
		if depth > 0 {
			p.Kind, p.Result = canonical.PartToolResult, d.result()
			break
		}
		fallthrough
	case 5:
		p = canonical.Part{Kind: canonical.PartOpaque, Type: "search_result", Raw: canonical.Raw(`{"type":"search_result","q":1}`)}
	default:
		p.Kind, p.Text, p.Citations, p.Extra = canonical.PartText, d.token(), d.someRaw(), d.extra()
	}
	return p
}

func (d dice) result() *canonical.ToolResult {
	r := &canonical.ToolResult{CallID: d.id(), Extra: d.extra(), HasErr: d.maybe()}
	r.IsError = r.HasErr && d.maybe()
	switch d.IntN(3) {
	case 0:
		r.Plain, r.Parts = true, []canonical.Part{{Kind: canonical.PartText, Text: d.token()}}
	case 1:
		r.Parts = d.parts(0)
	}
	return r
}

func (d dice) parts(depth int) []canonical.Part {
	list := []canonical.Part{}
	for range d.IntN(4) {
		list = append(list, d.part(depth))
	}
	return list
}

func (d dice) message() canonical.Message {
	roles := []canonical.Role{user, assistant, system}
	m := canonical.Message{Role: roles[d.IntN(3)], Extra: d.extra()}
	if m.Plain = d.maybe(); m.Plain {
		m.Parts = []canonical.Part{{Kind: canonical.PartText, Text: d.token()}}
		return m
	}
	m.Parts = d.parts(1)
	if m.Role == user && onlyResults(m.Parts) {
		m.Role = tool
	}
	return m
}

func (d dice) request() *canonical.Request {
	r := &canonical.Request{Source: dialect, Model: "claude-" + d.token().String(), Stream: d.maybe(), Extra: d.extra()}
	if d.maybe() {
		r.Messages = append(r.Messages, canonical.Message{Role: system, Top: true, Parts: d.parts(1)})
	}
	for range d.IntN(6) {
		r.Messages = append(r.Messages, d.message())
	}
	for i := range d.IntN(4) {
		t := canonical.Tool{Name: tok("t" + strconv.Itoa(i)), Schema: d.someRaw(), Strict: d.someRaw(), CacheControl: d.someRaw(), Extra: d.extra()}
		if d.maybe() {
			t.Description = d.token()
		}
		r.Tools = append(r.Tools, t)
	}
	if d.maybe() {
		r.Choice = &canonical.ToolChoice{Mode: "tool", Name: d.token(), Path: "tool_choice"}
		serial := d.maybe()
		r.ParallelTools = &serial
	}
	if d.maybe() {
		r.MaxTokens, r.Temperature, r.TopP, r.TopK = canonical.Raw("7"), canonical.Raw("0.5"), canonical.Raw("1e-1"), canonical.Raw("40")
		r.Stop, r.User, r.ServiceTier = []canonical.Token{d.token()}, d.token(), tok("auto")
	}
	if d.maybe() {
		r.Thinking = &canonical.Thinking{Mode: "adaptive", Budget: canonical.Raw("2048"), Display: tok("omitted"), Effort: d.token(), Extra: d.extra()}
	}
	if d.maybe() {
		r.Format = &canonical.Format{Type: "json_schema", Schema: d.raw(), Extra: d.extra()}
	}
	return r
}

func TestRandomRequestsComeBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		want := dice{rand.New(rand.NewPCG(seed, 1))}.request()
		var lost canonical.Losses
		body, err := Codec().Requests().EncodeRequest(want, &lost)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Codec().Requests().DecodeRequest(body)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, body)
		}
		if diff := cmp.Diff(want, got, ignorePaths()); diff != "" || lost.List != nil {
			t.Fatalf("seed %d (-want +got):\n%s\nlosses %v\n%s", seed, diff, lost.List, body)
		}
	}
}

func TestRandomResponsesComeBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		d := dice{rand.New(rand.NewPCG(seed, 2))}
		want := &canonical.Response{
			Source: dialect, ID: d.id(), Model: d.token(), Extra: d.extra(), ServiceTier: tok("standard"),
			Usage: &canonical.Usage{
				Input: 30, CacheRead: 20, CacheWrite: int64(d.IntN(10)), Output: int64(d.IntN(9)),
				HasInput: true, HasOutput: true, Extra: d.extra(),
			},
			Choices: []canonical.Choice{{Parts: d.parts(1), Stop: canonical.Stop{
				Reason: canonical.StopSequence, Wire: "stop_sequence", Sequence: d.token(),
			}}},
		}
		body, err := Codec().Responses().EncodeResponse(want, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Codec().Responses().DecodeResponse(body)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, body)
		}
		if diff := cmp.Diff(want, got, ignorePaths()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s\n%s", seed, diff, body)
		}
	}
}

func ignorePaths() cmp.Option {
	return cmp.Options{
		cmpopts.IgnoreFields(canonical.Message{}, "Path"), cmpopts.IgnoreFields(canonical.Part{}, "Path"),
		cmpopts.IgnoreFields(canonical.Tool{}, "Path"),
	}
}
