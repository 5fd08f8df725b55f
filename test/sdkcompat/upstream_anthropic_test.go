package sdkcompat

import (
	"fmt"
	"strings"
)

func anthropicDialect() *dialect {
	return &dialect{
		name: "anthropic", path: "/v1/messages", idHeader: "Request-Id",
		models: `{"data":[{"type":"model","id":"` + model + `","display_name":"Fake",` +
			`"created_at":"2026-01-01T00:00:00Z"}],"has_more":false,"first_id":"` + model + `","last_id":"` + model + `"}`,
		errorBody: func(p problem) (int, string) {
			return p.anthropic.status, fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":%s},`+
				`"request_id":"req_fake"}`,
				p.anthropic.typ, quote(p.message))
		},
		whole: anthropicWhole, frames: anthropicFrames, closing: 3,
		errorFrame: func(p problem, _ int) string {
			return named("error", fmt.Sprintf(`"error":{"type":%q,"message":%s}`, p.anthropic.typ, quote(p.message)))
		},
		read: readAnthropic,
	}
}

// named is an event whose data repeats its name.
func named(typ, rest string) string {
	if rest != "" {
		rest = "," + rest
	}
	return "event: " + typ + "\ndata: {\"type\":\"" + typ + "\"" + rest + "}\n\n"
}

func anthropicStop(s said) string {
	return map[string]string{
		"end": "end_turn", "tools": "tool_use", "length": "max_tokens", "filter": "refusal",
	}[s.End]
}

const anthropicMessage = `"id":"msg_01fake","type":"message","role":"assistant","model":"` + model + `","stop_sequence":null`

func anthropicUsage(output int) string {
	return fmt.Sprintf(`"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":%d,`+
		`"output_tokens":%d}`, inputTokens-cachedTokens, cachedTokens, output)
}

func anthropicWhole(_ object, s said) string {
	var blocks []string
	if s.Thought != "" {
		blocks = append(blocks, fmt.Sprintf(`{"type":"thinking","thinking":%s,"signature":%s}`,
			quote(s.Thought), quote(s.Secret)))
	}
	if text := s.Text + s.Refusal; text != "" {
		blocks = append(blocks, `{"type":"text","text":`+quote(text)+`}`)
	}
	for _, c := range s.Calls {
		blocks = append(blocks, fmt.Sprintf(`{"type":"tool_use","id":%q,"name":%q,"input":%s}`, c.ID, c.Name, c.Arguments))
	}
	return fmt.Sprintf(`{%s,"content":[%s],"stop_reason":%q,%s}`,
		anthropicMessage, strings.Join(blocks, ","), anthropicStop(s), anthropicUsage(outputTokens))
}

func anthropicFrames(_ object, s said) []string {
	frames := []string{
		named("message_start", fmt.Sprintf(`"message":{%s,"content":[],"stop_reason":null,%s}`,
			anthropicMessage, anthropicUsage(1))),
		named("ping", ""),
	}
	index := -1
	block := func(start string, deltas ...string) {
		index++
		at := fmt.Sprintf(`"index":%d`, index)
		frames = append(frames, named("content_block_start", at+`,"content_block":{`+start+`}`))
		for _, d := range deltas {
			frames = append(frames, named("content_block_delta", at+`,"delta":{`+d+`}`))
		}
		frames = append(frames, named("content_block_stop", at))
	}
	fragments := func(typ, member string, texts []string) (deltas []string) {
		for _, t := range texts {
			deltas = append(deltas, fmt.Sprintf(`"type":%q,%q:%s`, typ, member, quote(t)))
		}
		return deltas
	}
	if s.Thought != "" {
		block(`"type":"thinking","thinking":"","signature":""`,
			append(fragments("thinking_delta", "thinking", pieces(s.Thought)),
				fragments("signature_delta", "signature", []string{s.Secret})...)...)
	}
	if text := s.Text + s.Refusal; text != "" {
		block(`"type":"text","text":""`, fragments("text_delta", "text", pieces(text))...)
	}
	for _, c := range s.Calls {
		args := append([]string{""}, halves(c.Arguments)...)
		if c.Arguments == "{}" {
			args = args[:1] // all there is of a call without arguments
		}
		block(fmt.Sprintf(`"type":"tool_use","id":%q,"name":%q,"input":{}`, c.ID, c.Name),
			fragments("input_json_delta", "partial_json", args)...)
	}
	return append(frames,
		named("message_delta", fmt.Sprintf(`"delta":{"stop_reason":%q,"stop_sequence":null},"usage":{"output_tokens":%d}`,
			anthropicStop(s), outputTokens)),
		named("message_stop", ""))
}

func readAnthropic(body object) asked {
	thinking := body.object("thinking").text("type")
	a := asked{
		Model: body.text("model"), Stream: body["stream"] == true, System: body.words("system"),
		Schema: body.object("output_config").object("format")["schema"],
		Thinks: thinking == "enabled" || thinking == "adaptive",
	}
	a.MaxTokens, _ = body["max_tokens"].(float64)
	switch choice := body.object("tool_choice"); choice.text("type") {
	case "any":
		a.Choice = "required"
	case "tool":
		a.Choice = choice.text("name")
	default:
		a.Choice = choice.text("type")
	}
	for _, t := range body.list("tools") {
		a.Tools = append(a.Tools, tool{t.text("name"), t.text("description"), t["input_schema"]})
	}
	var all turns
	for _, m := range body.list("messages") {
		t := all.of(m.text("role"))
		if s, ok := m["content"].(string); ok {
			t.Texts = append(t.Texts, s)
		}
		for _, b := range m.list("content") {
			t.anthropicBlock(b)
		}
	}
	a.Turns = all
	return a
}

func (t *turn) anthropicBlock(b object) {
	switch b.text("type") {
	case "text":
		t.Texts = append(t.Texts, b.text("text"))
	case "image":
		source := b.object("source")
		t.Images = append(t.Images, "data:"+source.text("media_type")+";base64,"+source.text("data"))
	case "tool_use":
		t.Calls = append(t.Calls, functionCall{b.text("id"), b.text("name"), compact(b["input"])})
	case "tool_result":
		t.Results = append(t.Results, toolResult{b.text("tool_use_id"), strings.Join(b.words("content"), "")})
	case "thinking":
		t.Thoughts = append(t.Thoughts, b.text("thinking"))
		t.Secrets = append(t.Secrets, b.text("signature"))
	default:
		t.Texts = append(t.Texts, "unknown block "+compact(b))
	}
}
