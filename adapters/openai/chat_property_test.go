package openai

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// chatMaker makes conversations by chance.
type chatMaker struct{ *rand.Rand }

func (m chatMaker) token() canonical.Token {
	words := []string{"a", "b\nc", `"q"`, "é", "\\", "", "日本", "\u2028"}
	return tok(words[m.IntN(len(words))] + fmt.Sprint(m.IntN(100)))
}

func (m chatMaker) maybe() canonical.Token {
	if m.IntN(2) == 0 {
		return nil
	}
	return m.token()
}

func (m chatMaker) raw(values ...string) canonical.Raw {
	if i := m.IntN(len(values) + 1); i < len(values) {
		return canonical.Raw(values[i])
	}
	return nil
}

func (m chatMaker) fields(prefix string) []canonical.Field {
	if m.IntN(3) > 0 {
		return nil
	}
	return []canonical.Field{{Name: prefix + "x_new", Raw: canonical.Raw(`{"k":[1,null]}`)}}
}

func (m chatMaker) request() *canonical.Request {
	r := &canonical.Request{
		Source: chatSource, Model: m.token().String(),
		MaxTokens: m.raw("1"), Temperature: m.raw("0.5"), TopP: m.raw("1.0"), Seed: m.raw("9007199254740993"), N: m.raw("2"),
		PresencePenalty: m.raw("-1"), Logprobs: m.raw("true", "false"), TopLogprobs: m.raw("3"),
		User: m.maybe(), Metadata: m.raw(`{"a":"b"}`), ServiceTier: m.maybe(), Store: m.raw("true"),
		PromptCacheKey: m.maybe(), Verbosity: m.maybe(), Extra: m.fields(""),
	}
	r.Stream = m.IntN(2) == 0
	r.IncludeUsage = r.Stream // asked for whenever there is a stream
	if m.IntN(2) == 0 {
		r.Stop = []canonical.Token{m.token()}
	}
	if m.IntN(2) == 0 {
		r.Thinking = &canonical.Thinking{Effort: tok("low")}
	}
	if m.IntN(2) == 0 {
		r.Format = &canonical.Format{Type: "json_schema", Name: m.token(), Strict: m.raw("true"), Schema: m.raw("{}"), Extra: m.fields("json_schema.")}
	}
	for range m.IntN(6) {
		r.Messages = append(r.Messages, m.message())
	}
	for range m.IntN(3) {
		r.Tools = append(r.Tools, m.tool())
	}
	if len(r.Tools) > 0 && m.IntN(2) == 0 {
		yes := m.IntN(2) == 0
		r.ParallelTools = &yes
		r.Choice = &canonical.ToolChoice{Mode: []string{"auto", "none", "any"}[m.IntN(3)], Path: "tool_choice"}
	}
	return r
}

func (m chatMaker) tool() canonical.Tool {
	switch m.IntN(3) {
	case 0:
		return canonical.Tool{Type: "web_search", Raw: canonical.Raw(`{"type":"web_search"}`)}
	case 1:
		return canonical.Tool{
			Custom: true, Name: m.token(), Description: m.maybe(), Extra: m.fields("custom."),
			Grammar: m.raw(`{"type":"text"}`, `{"type":"grammar","syntax":"lark","definition":"x"}`),
		}
	default:
		return canonical.Tool{
			Name: m.token(), Description: m.maybe(), Schema: m.raw(`{"$defs":{}}`), Strict: m.raw("true"),
			CacheControl: m.raw(`{"type":"ephemeral"}`), Extra: m.fields("function."),
		}
	}
}

func (m chatMaker) message() canonical.Message {
	msg := canonical.Message{Name: m.maybe(), Extra: m.fields("")}
	switch m.IntN(4) {
	case 0:
		msg.Role = canonical.RoleTool
		msg.Parts = []canonical.Part{{Kind: canonical.PartToolResult, Result: &canonical.ToolResult{
			CallID: m.token(), Plain: true, Parts: []canonical.Part{{Text: m.token()}},
		}}}
	case 1:
		msg.Role = canonical.RoleAssistant
		m.assistant(&msg)
	default:
		msg.Role = []canonical.Role{canonical.RoleUser, canonical.RoleSystem, canonical.RoleDeveloper}[m.IntN(3)]
		if msg.Plain = m.IntN(2) == 0; msg.Plain {
			msg.Parts = []canonical.Part{{Text: m.token()}}
			break
		}
		for range 1 + m.IntN(3) {
			msg.Parts = append(msg.Parts, m.part())
		}
	}
	return msg
}

func (m chatMaker) assistant(msg *canonical.Message) {
	msg.Plain = true
	switch m.IntN(3) {
	case 0:
		msg.Parts = append(msg.Parts,
			canonical.Part{Kind: canonical.PartThinking, Text: m.token(), Signature: m.token()},
			canonical.Part{Kind: canonical.PartRedacted, Signature: m.token()},
			canonical.Part{Kind: canonical.PartThinking, Summary: []canonical.Token{m.token(), m.token()}, Encrypted: m.token(), ID: tok("rs")})
	case 1:
		msg.Parts = append(msg.Parts, canonical.Part{Kind: canonical.PartThinking, Text: m.token()})
	default:
	}
	if m.IntN(2) == 0 {
		msg.Parts = append(msg.Parts, canonical.Part{Text: m.token()})
	}
	for range m.IntN(3) {
		call := &canonical.ToolCall{ID: m.token(), Name: m.token(), Args: canonical.Args{String: m.token()}, Extra: m.fields("")}
		call.Custom = m.IntN(3) == 0
		msg.Parts = append(msg.Parts, canonical.Part{Kind: canonical.PartToolCall, Call: call})
	}
}

func (m chatMaker) part() canonical.Part {
	switch m.IntN(5) {
	case 0:
		return canonical.Part{Kind: canonical.PartImage, Extra: m.fields(""), Media: &canonical.Media{
			MIME: tok("image/png"), Data: tok("AA=="), Detail: m.maybe(), Extra: m.fields(""),
		}}
	case 1:
		return canonical.Part{Kind: canonical.PartAudio, Media: &canonical.Media{MIME: tok("audio/wav"), Data: tok("AA==")}}
	case 2:
		return canonical.Part{Kind: canonical.PartDocument, Media: &canonical.Media{FileID: m.token(), Filename: m.maybe()}}
	case 3:
		return canonical.Part{Kind: canonical.PartOpaque, Type: "new", Raw: canonical.Raw(`{"type":"new"}`)}
	default:
		return canonical.Part{Text: m.token(), CacheControl: m.raw(`{"type":"ephemeral"}`), Extra: m.fields("")}
	}
}

// withoutPaths leaves out where things stood, and compares nil and empty lists alike.
func withoutPaths() cmp.Options {
	return cmp.Options{
		cmp.FilterPath(func(p cmp.Path) bool {
			last := p.Last().String()
			return last == ".Path"
		}, cmp.Ignore()),
		cmp.Transformer("raw", func(r canonical.Raw) string { return string(r) }),
		cmp.Transformer("token", func(t canonical.Token) string { return string(t) }),
	}
}

func TestChatRequestsOfAllKindsComeBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		want := chatMaker{rand.New(rand.NewPCG(seed, 1))}.request()
		var lost canonical.Losses
		body, err := Chat().Requests().EncodeRequest(want, &lost)
		if err != nil || len(lost.List) > 0 {
			t.Fatalf("seed %d: EncodeRequest = %v, lost %v", seed, err, lost.List)
		}
		got, err := Chat().Requests().DecodeRequest(body)
		if err != nil {
			t.Fatalf("seed %d: DecodeRequest = %v\n%s", seed, err, body)
		}
		if diff := cmp.Diff(want, got, withoutPaths()); diff != "" {
			t.Fatalf("seed %d: mismatch (-want +got):\n%s\n%s", seed, diff, body)
		}
	}
}

func FuzzChatRequest(f *testing.F) {
	for seed := range uint64(20) {
		body, err := Chat().Requests().EncodeRequest(chatMaker{rand.New(rand.NewPCG(seed, 2))}.request(), nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte(`{"model":"m","messages":[{"role":"assistant","reasoning_details":[1,{"type":"reasoning.text"}],"content":[]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := Chat().Requests().DecodeRequest(body)
		if err != nil {
			return
		}
		for _, source := range []string{chatSource, fromAnthropic, fromResponses} {
			req.Source = source
			out, err := Chat().Requests().EncodeRequest(req, &canonical.Losses{})
			if err == nil && !json.Valid(out) {
				t.Errorf("from %s: no JSON: %s", source, out)
			}
		}
	})
}

func FuzzChatStream(f *testing.F) {
	f.Add(`{"choices":[{"delta":{"content":"a","reasoning":"b","tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":"{"}}]}}]}` +
		"\n" + `{"choices":[{"index":1,"delta":{"function_call":{"name":"f"}},"finish_reason":"stop"}]}` + "\n[DONE]")
	f.Add(`{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"e","format":"openai-responses-v1"},{}]}}],"usage":{}}` + "\n[DONE]")
	f.Fuzz(func(t *testing.T, lines string) {
		dec, enc := Chat().DecodeStream(), Chat().EncodeStream(&canonical.Request{IncludeUsage: true})
		ends := 0
		yield := func(ev canonical.Event) error {
			return enc.Encode(&ev, func(out adapters.Event) error {
				if terminal, _ := adapters.Terminal(adapters.OpenAIChatCompletions, out.Type, out.Data); terminal {
					ends++
				}
				if string(out.Data) != "[DONE]" && !json.Valid(out.Data) {
					t.Errorf("no JSON: %s", out.Data)
				}
				return nil
			})
		}
		for line := range strings.Lines(lines) {
			if dec.Decode(adapters.Event{Data: []byte(line)}, yield) != nil {
				return
			}
		}
		if err := dec.End(yield); (err == nil) != (ends == 1) {
			t.Errorf("End = %v after %d terminal events", err, ends)
		}
	})
}
