package roundtrip

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// mistake is one that converters are known to make: what goes wrong, and a check that it does not.
type mistake struct {
	name, wrong string
	check       func(c checker)
}

// checker runs conversions for a case and tells its mistake with each failure.
type checker struct {
	t     *testing.T
	wrong string
}

func dialectOf(letter string) dialect {
	return dialects()[strings.Index("ACR", letter)]
}

// body converts a whole body, by the letters of the two dialects.
func (c checker) body(convert converter, way, body string) *node {
	c.t.Helper()
	out, _, err := convert(dialectOf(way[:1]), dialectOf(way[1:]), []byte(body))
	if err != nil {
		c.t.Fatalf("%s: %v", c.wrong, err)
	}
	n, err := parse(out)
	if err != nil {
		c.t.Fatalf("%s: %v", c.wrong, err)
	}
	return n
}

// stream converts a stream, one line of data for each event.
func (c checker) stream(way, data string) []adapters.Event {
	c.t.Helper()
	var in []adapters.Event
	for line := range strings.Lines(data) {
		in = append(in, adapters.Event{Data: []byte(strings.TrimSpace(line))})
	}
	from, to := dialectOf(way[:1]), dialectOf(way[1:])
	out, err := drain(conversions(c.t)(from, to).ConvertStreamFor(c.t.Context(), stream(in), &canonical.Request{IncludeUsage: true}, nil))
	if err != nil {
		c.t.Fatalf("%s: %v", c.wrong, err)
	}
	checkStream(c.t, from, to, in, out, nil)
	return out
}

// answer is a stream put together for a client of the dialect.
func (c checker) answer(to string, events []adapters.Event) *node {
	c.t.Helper()
	return answerOf(c.t, dialectOf(to), nil, events)
}

// has compares what stands at a path.
func (c checker) has(n *node, path, want string) {
	c.t.Helper()
	w, err := parse([]byte(want))
	if err != nil {
		c.t.Fatal(err)
	}
	if diff := differences(w, n.at(path), path, nil); diff != nil {
		c.t.Errorf("%s:\n%s", c.wrong, lines(diff))
	}
}

// told joins the data of events.
func told(events []adapters.Event) string {
	var b strings.Builder
	for _, ev := range events {
		b.Write(ev.Data)
		b.WriteByte('\n')
	}
	return b.String()
}

func TestKnownMistakes(t *testing.T) {
	t.Parallel()
	for _, m := range append(mistakesOfTools(), mistakesOfContent()...) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			m.check(checker{t, m.wrong})
		})
	}
}

const streamedCall = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}
{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I look."}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"ls","input":{}}}
{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"p\":"}}
{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"1}"}}
{"type":"content_block_stop","index":1}
{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}
{"type":"message_stop"}`

const agentInput = `{"model":"claude-sonnet-4-5","input":[
{"role":"user","content":"go"},
{"type":"message","role":"assistant","content":[{"type":"output_text","text":"on it"}]},
{"type":"function_call","call_id":"call_1","name":"ls","arguments":"{\"p\":1}"},
{"type":"function_call_output","call_id":"call_1","output":"a.go"}]}`

func mistakesOfTools() []mistake {
	return []mistake{
		{"1 streamed calls after text", "the calls vanish, since their index is taken for that of the block", func(c checker) {
			out := c.stream("AC", streamedCall)
			if text := told(out); !strings.Contains(text, `"tool_calls":[{"index":0,"id":"toolu_1"`) || strings.Contains(text, `[{"index":1`) {
				c.t.Errorf("%s: %s", c.wrong, text)
			}
			n := c.answer("C", out)
			c.has(n, "choices[0].message.content", `"I look."`)
			c.has(n, "choices[0].message.tool_calls", `[{"id":"toolu_1","type":"function","function":{"name":"ls","arguments":"{\"p\":1}"}}]`)
			c.has(n, "choices[0].finish_reason", `"tool_calls"`)
		}},
		{"2 parallel results", "the second result becomes prose in a message of its own", func(c checker) {
			n := c.body(convertRequest, "CA", `{"model":"m","messages":[{"role":"user","content":"go"},
				{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},
				{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},
				{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"}]}`)
			c.has(n, "messages[2]", `{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},
				{"type":"tool_result","tool_use_id":"b","content":"2"}]}`)
			if len(n.get("messages").kids) != 3 {
				c.t.Errorf("%s: %s", c.wrong, n.render(nil))
			}
		}},
		{"5 history of a Responses client", "calls, their outputs and what the assistant said are dropped", func(c checker) {
			n := c.body(convertRequest, "RA", agentInput)
			c.has(n, "messages", `[{"role":"user","content":"go"},
				{"role":"assistant","content":[{"type":"text","text":"on it"},{"type":"tool_use","id":"call_1","name":"ls","input":{"p":1}}]},
				{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"a.go"}]}]`)
		}},
		{"6 calls in whole answers", "a call stands inside of a message, or has the id of its item", func(c checker) {
			n := c.body(convertAnswer, "AR", `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[
				{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_1","name":"ls","input":{"p":1}}],
				"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`)
			c.has(n, "output[1].type", `"function_call"`)
			c.has(n, "output[1].call_id", `"toolu_1"`)
			c.has(n, "output[1].arguments", `"{\"p\":1}"`)
			c.has(n, "output[0].content[0].text", `"I look."`)
			n = c.body(convertAnswer, "RC", `{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[
				{"type":"function_call","id":"fc_9","call_id":"call_1","name":"ls","arguments":"{}"}]}`)
			c.has(n, "choices[0].message.tool_calls[0].id", `"call_1"`)
		}},
		{"8 streamed calls without arguments", "the call vanishes", func(c checker) {
			const call = `{"index":0,"id":"call_1","type":"function","function":{"name":"now","arguments":""}}`
			out := c.stream("CA", `{"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[`+call+`]}}]}
				{"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}
				[DONE]`)
			n := c.answer("A", out)
			c.has(n, "content", `[{"type":"tool_use","id":"call_1","name":"now","input":{}}]`)
			c.has(n, "stop_reason", `"tool_use"`)
		}},
	}
}

const thinkingRequest = `{"model":"claude-sonnet-4-5","max_tokens":4000,"messages":[
{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
	{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}]},
{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"cmVk"},
	{"type":"tool_use","id":"toolu_1","name":"bash","input":{"command":"ls"}}]},
{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"a.go"}]}],
"tools":[{"type":"computer_20250124","name":"computer","display_width_px":1},{"type":"bash_20250124","name":"bash"},
	{"type":"text_editor_20250728","name":"str_replace_based_edit_tool"}],"temperature":1.5}`

const streamedReasoning = `{"type":"response.created","response":{"id":"resp_1","status":"in_progress","model":"m","output":[]}}
{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}
{"type":"response.reasoning_summary_text.delta","item_id":"rs_1","output_index":0,"summary_index":0,"delta":"I wonder"}
{"type":"response.reasoning_summary_text.done","item_id":"rs_1","output_index":0,"summary_index":0,"text":"I wonder"}
{"type":"response.output_item.done","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"I wonder"}]}}
`

func mistakesOfContent() []mistake {
	return []mistake{
		{"3 valid requests of today", "thinking, PDFs, addresses of images and the vendor's tools are refused", func(c checker) {
			if diff := differences(parsed(c.t, thinkingRequest), c.body(convertRequest, "AA", thinkingRequest), "", nil); diff != nil {
				c.t.Errorf("%s:\n%s", c.wrong, lines(diff))
			}
			c.has(c.body(convertRequest, "AC", thinkingRequest), "messages[0].content[0].image_url.url", `"https://example.com/a.png"`)
			c.has(c.body(convertRequest, "AR", thinkingRequest), "input[0].content[1].file_data", `"data:application/pdf;base64,JVBE"`)
		}},
		{"4 Claude Code with OpenAI's models", "no usage, reasoning twice and as text, and failures look like an empty success", func(c checker) {
			const usage = `{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":2}`
			out := c.stream("RA", streamedReasoning+`{"type":"response.incomplete","response":{"id":"resp_1","status":"incomplete",`+
				`"incomplete_details":{"reason":"max_output_tokens"},"output":[],"usage":`+usage+`}}`)
			n := c.answer("A", out)
			c.has(n, "content[0].thinking", `"I wonder"`)
			if text := told(out); strings.Count(text, "I wonder") != 1 || strings.Contains(text, "<thinking>") {
				c.t.Errorf("%s: %s", c.wrong, text)
			}
			c.has(n, "stop_reason", `"max_tokens"`)
			c.has(n, "usage.input_tokens", `5`)
			c.has(n, "usage.cache_read_input_tokens", `4`)
			c.has(n, "usage.output_tokens", `2`)
			out = c.stream("RA", streamedReasoning+`{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"broken"}}}`)
			last := out[len(out)-1]
			if last.Type != "error" || !strings.Contains(string(last.Data), "broken") {
				c.t.Errorf("%s: ends with %s %s", c.wrong, last.Type, last.Data)
			}
		}},
		{"7 efforts of reasoning", "low becomes a budget that the API refuses; none and xhigh are refused", func(c checker) {
			for _, effort := range []string{"none", "minimal", "low", "medium", "high", "xhigh"} {
				n := c.body(convertRequest, "CA", `{"model":"claude-sonnet-4-5","max_tokens":4000,"reasoning_effort":"`+effort+`","messages":[{"role":"user","content":"x"}]}`)
				budget := n.at("thinking.budget_tokens")
				if effort == "none" {
					if budget != nil {
						c.t.Errorf("%s: %s", c.wrong, n.render(nil))
					}
					continue
				}
				if b := number(budget); b < 1024 || b >= number(n.get("max_tokens")) {
					c.t.Errorf("%s: effort %s: %s", c.wrong, effort, n.render(nil))
				}
			}
		}},
		{"9 errors of Anthropic", "the body has no type, neither outside nor inside", func(c checker) {
			convert := conversions(c.t)(dialectOf("C"), dialectOf("A"))
			for _, body := range []string{`{"error":{"message":"slow down","type":"rate_limit_error"}}`, `{"detail":"slow down"}`} {
				out, _ := convert.ConvertErrorFor(http.StatusTooManyRequests, []byte(body))
				n := parsed(c.t, string(out))
				c.has(n, "type", `"error"`)
				c.has(n, "error.type", `"rate_limit_error"`)
				c.has(n, "error.message", `"slow down"`)
			}
		}},
		{"10 images and the limit for Responses", "images are dropped, and the older name of the limit is ignored", func(c checker) {
			n := c.body(convertRequest, "CR", `{"model":"m","max_tokens":77,"messages":[{"role":"user","content":[{"type":"text","text":"see"},
				{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`)
			c.has(n, "input[0].content[1]", `{"type":"input_image","image_url":"data:image/png;base64,AAAA"}`)
			c.has(n, "max_output_tokens", `77`)
			n = c.body(convertRequest, "AR", `{"model":"m","max_tokens":77,"messages":[{"role":"user","content":[
				{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}`)
			c.has(n, "input[0].content[0]", `{"type":"input_image","image_url":"data:image/png;base64,AAAA"}`)
		}},
		{"11 system messages of all kinds", "only the last string is kept; lists and the developer's words are dropped", func(c checker) {
			const body = `{"model":"m","messages":[{"role":"system","content":"one"},{"role":"system","content":[{"type":"text","text":"two"}]},
				{"role":"developer","content":"three"},{"role":"user","content":"hi"}]}`
			n := c.body(convertRequest, "CA", body)
			c.has(n, "system", `[{"type":"text","text":"one"},{"type":"text","text":"two"},{"type":"text","text":"three"}]`)
			n = c.body(convertRequest, "CR", body)
			c.has(n, "instructions", `"one\n\ntwo\n\nthree"`)
		}},
	}
}

func parsed(t *testing.T, text string) *node {
	t.Helper()
	n, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// number reads a small integer; 0 for anything else.
func number(n *node) (v int) {
	if n.is('0') {
		for _, c := range n.text {
			v = v*10 + int(c-'0')
		}
	}
	return v
}
