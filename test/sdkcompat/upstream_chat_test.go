package sdkcompat

import (
	"fmt"
	"strings"
)

func chatDialect() *dialect {
	return &dialect{
		name: "chat", path: "/v1/chat/completions", idHeader: "X-Request-Id",
		models: openAIModels, errorBody: openAIErrorBody,
		whole: chatAnswerBody, frames: chatFrames, closing: 3,
		errorFrame: func(p problem, _ int) string {
			_, body := openAIErrorBody(p)
			return "data: " + body + "\n\n"
		},
		read: readChat,
	}
}

const openAIModels = `{"object":"list","data":[{"id":"` + model + `","object":"model","created":1767225600,` +
	`"owned_by":"fake"}]}`

func openAIErrorBody(p problem) (int, string) {
	code := "null"
	if p.openAI.code != "" {
		code = quote(p.openAI.code)
	}
	return p.openAI.status, fmt.Sprintf(`{"error":{"message":%s,"type":%q,"param":null,"code":%s}}`,
		quote(p.message), p.openAI.typ, code)
}

func chatFinish(s said) string {
	return map[string]string{
		"end": "stop", "tools": "tool_calls", "length": "length", "filter": "content_filter",
	}[s.End]
}

func chatUsage() string {
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,`+
		`"prompt_tokens_details":{"cached_tokens":%d}}`,
		inputTokens, outputTokens, inputTokens+outputTokens, cachedTokens)
}

// chatDetails are the reasoning as gateways to several vendors tell it, who want it back.
func chatDetails(s said) string {
	return fmt.Sprintf(`"reasoning_details":[{"type":"reasoning.text","text":%s,"signature":%s,`+
		`"format":"fake-v1","index":0}]`, quote(s.Thought), quote(s.Secret))
}

func chatAnswerBody(_ object, s said) string {
	members := []string{`"role":"assistant"`}
	if s.Thought != "" {
		members = append(members, `"reasoning_content":`+quote(s.Thought), chatDetails(s))
	}
	content, refusal := "null", "null"
	if s.Text != "" {
		content = quote(s.Text)
	}
	if s.Refusal != "" {
		refusal = quote(s.Refusal)
	}
	members = append(members, `"content":`+content, `"refusal":`+refusal)
	var calls []string
	for _, c := range s.Calls {
		calls = append(calls, fmt.Sprintf(`{"id":%q,"type":"function","function":{"name":%q,"arguments":%s}}`,
			c.ID, c.Name, quote(c.Arguments)))
	}
	if calls != nil {
		members = append(members, `"tool_calls":[`+strings.Join(calls, ",")+`]`)
	}
	return fmt.Sprintf(`{"id":"chatcmpl-fake","object":"chat.completion","created":1767225600,"model":%q,`+
		`"choices":[{"index":0,"message":{%s},"logprobs":null,"finish_reason":%q}],"usage":%s}`,
		model, strings.Join(members, ","), chatFinish(s), chatUsage())
}

func chatFrames(body object, s said) []string {
	var frames []string
	chunk := func(choices, rest string) {
		frames = append(frames, fmt.Sprintf(`data: {"id":"chatcmpl-fake","object":"chat.completion.chunk",`+
			`"created":1767225600,"model":%q,"choices":[%s]%s}`+"\n\n", model, choices, rest))
	}
	delta := func(format string, args ...any) {
		chunk(`{"index":0,"delta":{`+fmt.Sprintf(format, args...)+`},"finish_reason":null}`, "")
	}
	delta(`"role":"assistant","content":""`)
	if s.Thought != "" {
		for _, p := range pieces(s.Thought) {
			delta(`"reasoning_content":%s`, quote(p))
		}
		delta("%s", chatDetails(s))
	}
	if s.Text != "" {
		for _, p := range pieces(s.Text) {
			delta(`"content":%s`, quote(p))
		}
	}
	if s.Refusal != "" {
		for _, p := range pieces(s.Refusal) {
			delta(`"refusal":%s`, quote(p))
		}
	}
	for i, c := range s.Calls {
		delta(`"tool_calls":[{"index":%d,"id":%q,"type":"function","function":{"name":%q,"arguments":""}}]`, i, c.ID, c.Name)
		for _, half := range halves(c.Arguments) {
			delta(`"tool_calls":[{"index":%d,"function":{"arguments":%s}}]`, i, quote(half))
		}
	}
	chunk(fmt.Sprintf(`{"index":0,"delta":{},"finish_reason":%q}`, chatFinish(s)), "")
	usage := ": no usage\n\n"
	if body.object("stream_options")["include_usage"] == true {
		chunk("", `,"usage":`+chatUsage())
	} else {
		frames = append(frames, usage)
	}
	return append(frames, "data: [DONE]\n\n")
}

func readChat(body object) asked {
	a := asked{
		Model: body.text("model"), Stream: body["stream"] == true,
		Schema: body.object("response_format").object("json_schema")["schema"],
		Thinks: body.text("reasoning_effort") != "",
	}
	a.MaxTokens, _ = body["max_completion_tokens"].(float64)
	a.Choice = body.text("tool_choice") + body.object("tool_choice").object("function").text("name")
	for _, t := range body.list("tools") {
		f := t.object("function")
		a.Tools = append(a.Tools, tool{f.text("name"), f.text("description"), f["parameters"]})
	}
	var all turns
	for _, m := range body.list("messages") {
		switch role := m.text("role"); role {
		case "system", "developer":
			a.System = append(a.System, m.words("content")...)
		case "tool":
			t := all.of("user")
			t.Results = append(t.Results, toolResult{m.text("tool_call_id"), strings.Join(m.words("content"), "")})
		default:
			all.of(role).chatMessage(m)
		}
	}
	a.Turns = all
	return a
}

func (t *turn) chatMessage(m object) {
	t.Texts = append(t.Texts, m.words("content")...)
	for _, part := range m.list("content") {
		if url := part.object("image_url").text("url"); url != "" {
			t.Images = append(t.Images, url)
		}
	}
	for _, c := range m.list("tool_calls") {
		f := c.object("function")
		t.Calls = append(t.Calls, functionCall{c.text("id"), f.text("name"), f.text("arguments")})
	}
	if s := m.text("reasoning_content"); s != "" {
		t.Thoughts = append(t.Thoughts, s)
	}
	for _, d := range m.list("reasoning_details") {
		if s := d.text("signature") + d.text("data"); s != "" {
			t.Secrets = append(t.Secrets, s)
		}
	}
}
