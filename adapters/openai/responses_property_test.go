package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// randomItems makes conversations that the dialect can hold.
type randomItems struct{ *rand.Rand }

func (r randomItems) token() canonical.Token {
	list := []string{"", "a", "\"quoted\"\n", "ä€🎉", "\u0001 \\ /", strings.Repeat("long ", 20)}
	return canonical.NewToken(list[r.IntN(len(list))])
}

func (r randomItems) maybe(t canonical.Token) canonical.Token {
	if r.IntN(2) == 0 {
		return nil
	}
	return t
}

func (r randomItems) extra() []canonical.Field {
	if r.IntN(3) > 0 {
		return nil
	}
	return []canonical.Field{{Name: "x-\"ö", Raw: canonical.Raw(`{"y":[1,null]}`)}}
}

func (r randomItems) media() *canonical.Media {
	m := &canonical.Media{Extra: r.extra()}
	switch r.IntN(3) {
	case 0:
		m.MIME, m.Data = tok("image/png"), tok("iVBO")
	case 1:
		m.URL = tok("https://example.org/a?b=c")
	default:
		m.FileID = tok("file_1")
	}
	return m
}

func (r randomItems) shown() canonical.Part {
	switch r.IntN(4) {
	case 0:
		m := r.media()
		m.Detail = r.maybe(tok("high"))
		return canonical.Part{Kind: canonical.PartImage, Media: m}
	case 1:
		m := r.media()
		m.Filename = r.maybe(r.token())
		return canonical.Part{Kind: canonical.PartDocument, Media: m}
	case 2:
		return canonical.Part{Kind: canonical.PartOpaque, Type: "input_new", Raw: canonical.Raw(`{"type":"input_new","n":1}`)}
	default:
		return canonical.Part{Text: r.token(), Extra: r.extra()}
	}
}

func (r randomItems) thought() canonical.Part {
	p := canonical.Part{
		Kind: canonical.PartThinking, ID: r.maybe(tok("rs_1")), Encrypted: r.maybe(tok("gAAA")), Extra: r.extra(),
	}
	switch r.IntN(4) {
	case 0:
		p.Text = r.token()
	case 1:
		p.Summary = []canonical.Token{r.token(), r.token()}
	case 2:
		p.Text, p.Verbatim = r.token(), true
	}
	return p
}

func (r randomItems) assistant() canonical.Message {
	m := canonical.Message{Role: canonical.RoleAssistant}
	for range r.IntN(2) {
		m.Parts = append(m.Parts, r.thought())
	}
	if r.IntN(3) > 0 {
		m.ID, m.Status, m.Extra = r.maybe(tok("msg_1")), r.maybe(tok("completed")), r.extra()
		for range 1 + r.IntN(2) {
			m.Parts = append(m.Parts, canonical.Part{Text: r.token(), Citations: canonical.Raw(`[{"type":"file_path"}]`), Extra: r.extra()})
		}
	}
	for i := range 1 + r.IntN(3) {
		c := &canonical.ToolCall{ID: tok(fmt.Sprint("call_", i)), Name: tok("f"), Custom: r.IntN(3) == 0, Extra: r.extra()}
		c.Args.String = tok(`{"a":"\n"}`)
		m.Parts = append(m.Parts, canonical.Part{Kind: canonical.PartToolCall, ID: r.maybe(tok("fc_1")), Status: r.maybe(tok("completed")), Call: c})
	}
	return m
}

func (r randomItems) results() canonical.Message {
	m := canonical.Message{Role: canonical.RoleTool}
	for i := range 1 + r.IntN(3) {
		res := &canonical.ToolResult{CallID: tok(fmt.Sprint("call_", i)), Custom: r.IntN(3) == 0, Extra: r.extra()}
		if r.IntN(2) == 0 {
			res.Plain, res.Parts = true, []canonical.Part{{Text: r.token()}}
		} else {
			res.Parts = []canonical.Part{r.shown(), r.shown()}
		}
		m.Parts = append(m.Parts, canonical.Part{Kind: canonical.PartToolResult, ID: r.maybe(tok("fco_1")), Result: res})
	}
	return m
}

func (r randomItems) request() *canonical.Request {
	req := &canonical.Request{
		Source: ownDialect, Model: "m\"", Stream: r.IntN(2) == 0, User: r.maybe(r.token()), Extra: r.extra(),
		Verbosity: r.maybe(tok("low")), Truncation: r.maybe(tok("auto")), PromptCacheKey: r.maybe(r.token()),
	}
	if r.IntN(2) == 0 {
		req.Messages = append(req.Messages, canonical.Message{
			Role: canonical.RoleSystem, Top: true, Plain: true, Parts: []canonical.Part{{Text: r.token()}},
		})
		req.Temperature, req.MaxTokens, req.Store = canonical.Raw("0.70"), canonical.Raw("5"), canonical.Raw("true")
		req.Thinking = &canonical.Thinking{Effort: r.maybe(tok("low")), Summary: r.maybe(tok("auto")), Extra: r.extra()}
		req.Format = &canonical.Format{Type: "json_schema", Name: tok("n"), Schema: canonical.Raw(`{"a":1}`), Extra: r.extra()}
		req.Choice = &canonical.ToolChoice{Mode: "tool", Name: tok("p")}
		yes := r.IntN(2) == 0
		req.ParallelTools = &yes
		req.Tools = []canonical.Tool{
			{Name: tok("f"), Description: r.maybe(r.token()), Schema: canonical.Raw(`{}`), Extra: r.extra()},
			{Name: tok("p"), Custom: true, Grammar: canonical.Raw(`{"type":"text"}`)},
			{Type: "web_search", Raw: canonical.Raw(`{"type":"web_search"}`)},
		}
	}
	for range 1 + r.IntN(3) {
		roles := []canonical.Role{canonical.RoleUser, canonical.RoleSystem, canonical.RoleDeveloper}
		m := canonical.Message{Role: roles[r.IntN(3)], Name: r.maybe(tok("n")), Extra: r.extra()}
		if r.IntN(2) == 0 {
			m.Plain, m.Parts = true, []canonical.Part{{Text: r.token()}}
		} else {
			m.Parts = []canonical.Part{r.shown(), r.shown()}
		}
		req.Messages = append(req.Messages, m, r.assistant(), r.results())
	}
	return req
}

// TestResponsesRequestProperty: what the neutral model can hold of this dialect comes back from it.
func TestResponsesRequestProperty(t *testing.T) {
	t.Parallel()
	options := cmp.Options{
		cmpopts.IgnoreFields(canonical.Message{}, "Path"), cmpopts.IgnoreFields(canonical.Part{}, "Path"),
		cmpopts.IgnoreFields(canonical.Tool{}, "Path"), cmpopts.IgnoreFields(canonical.ToolChoice{}, "Path"),
		cmp.FilterValues(func(a, b canonical.Token) bool { return len(a)+len(b) > 0 },
			cmp.Comparer(func(a, b canonical.Token) bool { return string(a) == string(b) })),
		cmp.FilterValues(func(a, b canonical.Raw) bool { return len(a)+len(b) > 0 },
			cmp.Comparer(func(a, b canonical.Raw) bool { return string(a) == string(b) })),
		cmpopts.EquateEmpty(),
	}
	for seed := range uint64(300) {
		want := randomItems{rand.New(rand.NewPCG(seed, 1))}.request()
		var lost canonical.Losses
		body, err := Responses().Requests().EncodeRequest(want, &lost)
		if err != nil || len(lost.List) > 0 {
			t.Fatalf("seed %d: %v, lost %v", seed, err, lost.List)
		}
		got, err := Responses().Requests().DecodeRequest(body)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, body)
		}
		if diff := cmp.Diff(want, got, options); diff != "" {
			t.Fatalf("seed %d mismatch (-want +got):\n%s\n%s", seed, diff, body)
		}
	}
}

func FuzzResponsesRequest(f *testing.F) {
	for seed := range uint64(8) {
		body, err := Responses().Requests().EncodeRequest(randomItems{rand.New(rand.NewPCG(seed, 2))}.request(), nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"input":[{"type":"reasoning","encrypted_content":"ccproxy1.x"}],"model":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := Responses().Requests().DecodeRequest(body)
		if err != nil {
			return
		}
		once, err := Responses().Requests().EncodeRequest(req, nil)
		if err != nil || !json.Valid(once) {
			t.Fatalf("EncodeRequest = %v\n%s\nof %s", err, once, body)
		}
		req.Source = string(adapters.AnthropicMessages)
		if other, err := Responses().Requests().EncodeRequest(req, nil); err != nil || !json.Valid(other) {
			t.Fatalf("EncodeRequest of another dialect = %v\n%s\nof %s", err, other, body)
		}
		// Keys that are no UTF-8 are mended by the first pass and stay as they are in the second.
		twice := recode(t, recode(t, once))
		if again := recode(t, twice); !bytes.Equal(twice, again) {
			t.Fatalf("not the same again:\n%s\n%s", twice, again)
		}
	})
}

func recode(t *testing.T, body []byte) []byte {
	t.Helper()
	req, err := Responses().Requests().DecodeRequest(body)
	if err != nil {
		t.Fatalf("DecodeRequest of our own: %v\n%s", err, body)
	}
	out, err := Responses().Requests().EncodeRequest(req, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func FuzzResponsesStream(f *testing.F) {
	f.Add([]byte(strings.Join([]string{
		`{"type":"response.created","response":{"id":"resp_1"}}`,
		`{"type":"response.output_item.added","output_index":0,"item":{"id":"msg_1","type":"message"}}`,
		`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"x"}`,
		`{"type":"response.reasoning_summary_text.delta","output_index":1,"summary_index":1,"delta":"x"}`,
		`{"type":"response.output_item.done","output_index":1,"item":{"id":"rs_1","type":"reasoning","summary":[{"text":"a"},{"text":"x"}]}}`,
		`{"type":"response.output_item.added","output_index":2,"item":{"id":"fc_1","type":"function_call","call_id":"c","name":"f"}}`,
		`{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{}"}`,
		`{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]}}`,
	}, "\n")))
	f.Add([]byte(`{"type":"response.failed","response":{"error":{"code":"c"}}}`))
	f.Add([]byte(`{"type":"error","error":"x"}`))
	f.Add([]byte(strings.Join([]string{ // an item that ends as another kind than it began
		`{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"x"}`,
		`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[{"text":"a"},{"text":"b"}]}}`,
		`{"type":"response.completed","response":{}}`,
	}, "\n")))
	f.Fuzz(func(t *testing.T, lines []byte) {
		enc, dec := Responses().EncodeStream(nil), Responses().DecodeStream()
		var told [][]byte
		for line := range bytes.Lines(lines) {
			err := dec.Decode(adapters.Event{Data: line}, func(ev canonical.Event) error {
				return enc.Encode(&ev, func(ev adapters.Event) error {
					told = append(told, bytes.Clone(ev.Data))
					return nil
				})
			})
			if err != nil {
				return
			}
		}
		if dec.End(nil) == nil {
			checkLifecycle(t, told)
		}
	})
}
