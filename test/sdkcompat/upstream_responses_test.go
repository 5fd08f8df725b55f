package sdkcompat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func responsesDialect() *dialect {
	return &dialect{
		name: "responses", path: "/v1/responses", idHeader: "X-Request-Id",
		models: openAIModels, errorBody: openAIErrorBody,
		whole: responsesWhole, frames: responsesFrames, closing: 1,
		errorFrame: func(p problem, before int) string {
			code := p.openAI.code
			if code == "" {
				code = "server_error"
			}
			return named("response.failed", fmt.Sprintf(`"sequence_number":%d,"response":{%s,"status":"failed",`+
				`"error":{"code":%q,"message":%s},"incomplete_details":null,"output":[],"usage":null}`,
				before, responsesHead, code, quote(p.message)))
		},
		read: readResponses,
	}
}

const responsesHead = `"id":"resp_fake","object":"response","created_at":1767225600,"model":"` + model + `",` +
	`"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"metadata":{}`

// responsesItems are the items of an answer. What is encrypted is told to those who ask for it.
func responsesItems(body object, s said) []string {
	var items []string
	if s.Thought != "" {
		secret := "null"
		if include, ok := body["include"].([]any); ok && slices.Contains(include, any("reasoning.encrypted_content")) {
			secret = quote(s.Secret)
		}
		items = append(items, fmt.Sprintf(`{"id":"rs_fake","type":"reasoning",`+
			`"summary":[{"type":"summary_text","text":%s}],"encrypted_content":%s}`, quote(s.Thought), secret))
	}
	part := ""
	switch {
	case s.Text != "":
		part = responsesText(s.Text)
	case s.Refusal != "":
		part = `{"type":"refusal","refusal":` + quote(s.Refusal) + `}`
	}
	if part != "" {
		items = append(items, `{"id":"msg_fake","type":"message","status":"completed","role":"assistant",`+
			`"content":[`+part+`]}`)
	}
	for i, c := range s.Calls {
		items = append(items, fmt.Sprintf(`{"id":"fc_%d","type":"function_call","status":"completed","call_id":%q,`+
			`"name":%q,"arguments":%s}`, i, c.ID, c.Name, quote(c.Arguments)))
	}
	return items
}

func responsesText(s string) string {
	return `{"type":"output_text","annotations":[],"logprobs":[],"text":` + quote(s) + `}`
}

// responsesObject is the answer when it is over.
func responsesObject(body object, s said) string {
	status, details := "completed", "null"
	switch s.End {
	case "length":
		status, details = "incomplete", `{"reason":"max_output_tokens"}`
	case "filter":
		status, details = "incomplete", `{"reason":"content_filter"}`
	}
	return fmt.Sprintf(`{%s,"status":%q,"error":null,"incomplete_details":%s,"output":[%s],"usage":{"input_tokens":%d,`+
		`"input_tokens_details":{"cached_tokens":%d},"output_tokens":%d,"output_tokens_details":{"reasoning_tokens":0},`+
		`"total_tokens":%d}}`, responsesHead, status, details, strings.Join(responsesItems(body, s), ","),
		inputTokens, cachedTokens, outputTokens, inputTokens+outputTokens)
}

func responsesWhole(body object, s said) string { return responsesObject(body, s) }

// responsesTeller numbers events.
type responsesTeller struct {
	frames []string
	n      int
	item   string // members that tell which item an event is about
}

func (t *responsesTeller) tell(typ, rest string) {
	t.frames = append(t.frames, named("response."+typ, fmt.Sprintf(`"sequence_number":%d,%s`, t.n, rest)))
	t.n++
}

func (t *responsesTeller) about(typ, rest string) { t.tell(typ, t.item+","+rest) }

func responsesFrames(body object, s said) []string {
	var t responsesTeller
	begun := fmt.Sprintf(`"response":{%s,"status":"in_progress","error":null,"incomplete_details":null,"output":[],`+
		`"usage":null}`, responsesHead)
	t.tell("created", begun)
	t.tell("in_progress", begun)
	for i, item := range responsesItems(body, s) {
		var o object
		_ = json.Unmarshal([]byte(item), &o) // it is made above
		t.item = fmt.Sprintf(`"item_id":%q,"output_index":%d`, o.text("id"), i)
		at := fmt.Sprintf(`"output_index":%d,"item":`, i)
		switch o.text("type") {
		case "reasoning":
			t.tell("output_item.added", at+fmt.Sprintf(`{"id":%q,"type":"reasoning","summary":[]}`, o.text("id")))
			t.summary(o.list("summary")[0].text("text"))
		case "message":
			t.tell("output_item.added", at+fmt.Sprintf(
				`{"id":%q,"type":"message","status":"in_progress","role":"assistant","content":[]}`, o.text("id")))
			t.message(s)
		default:
			t.tell("output_item.added", at+fmt.Sprintf(`{"id":%q,"type":"function_call","status":"in_progress",`+
				`"call_id":%q,"name":%q,"arguments":""}`, o.text("id"), o.text("call_id"), o.text("name")))
			for _, half := range halves(o.text("arguments")) {
				t.about("function_call_arguments.delta", `"delta":`+quote(half))
			}
			t.about("function_call_arguments.done", `"name":`+quote(o.text("name"))+`,"arguments":`+quote(o.text("arguments")))
		}
		t.tell("output_item.done", at+item)
	}
	end := "completed"
	if s.End == "length" || s.End == "filter" {
		end = "incomplete"
	}
	t.tell(end, `"response":`+responsesObject(body, s))
	return t.frames
}

func (t *responsesTeller) summary(text string) {
	part := `"summary_index":0,"part":{"type":"summary_text","text":`
	t.about("reasoning_summary_part.added", part+`""}`)
	for _, p := range pieces(text) {
		t.about("reasoning_summary_text.delta", `"summary_index":0,"delta":`+quote(p))
	}
	t.about("reasoning_summary_text.done", `"summary_index":0,"text":`+quote(text))
	t.about("reasoning_summary_part.done", part+quote(text)+`}`)
}

func (t *responsesTeller) message(s said) {
	const place = `"content_index":0,`
	if s.Refusal != "" {
		t.about("content_part.added", place+`"part":{"type":"refusal","refusal":""}`)
		for _, p := range pieces(s.Refusal) {
			t.about("refusal.delta", place+`"delta":`+quote(p))
		}
		t.about("refusal.done", place+`"refusal":`+quote(s.Refusal))
		t.about("content_part.done", place+`"part":{"type":"refusal","refusal":`+quote(s.Refusal)+`}`)
		return
	}
	t.about("content_part.added", place+`"part":`+responsesText(""))
	for _, p := range pieces(s.Text) {
		t.about("output_text.delta", place+`"logprobs":[],"delta":`+quote(p))
	}
	t.about("output_text.done", place+`"logprobs":[],"text":`+quote(s.Text))
	t.about("content_part.done", place+`"part":`+responsesText(s.Text))
}

func readResponses(body object) asked {
	a := asked{
		Model: body.text("model"), Stream: body["stream"] == true, Thinks: body.object("reasoning") != nil,
		Choice: body.text("tool_choice") + body.object("tool_choice").text("name"),
		Schema: body.object("text").object("format")["schema"],
	}
	a.MaxTokens, _ = body["max_output_tokens"].(float64)
	if s := body.text("instructions"); s != "" {
		a.System = append(a.System, s)
	}
	for _, t := range body.list("tools") {
		a.Tools = append(a.Tools, tool{t.text("name"), t.text("description"), t["parameters"]})
	}
	var all turns
	if s := body.text("input"); s != "" {
		all.of("user").Texts = []string{s}
	}
	for _, item := range body.list("input") {
		switch item.text("type") {
		case "function_call":
			t := all.of("assistant")
			t.Calls = append(t.Calls, functionCall{item.text("call_id"), item.text("name"), item.text("arguments")})
		case "function_call_output":
			t := all.of("user")
			t.Results = append(t.Results, toolResult{item.text("call_id"), strings.Join(item.words("output"), "")})
		case "reasoning":
			t := all.of("assistant")
			t.Thoughts = append(t.Thoughts, item.words("summary")...)
			t.Secrets = append(t.Secrets, item.text("encrypted_content"))
		case "", "message":
			a.responsesMessage(&all, item)
		default:
			all.of("user").Texts = append(all.of("user").Texts, "unknown item "+compact(item))
		}
	}
	a.Turns = all
	return a
}

func (a *asked) responsesMessage(all *turns, item object) {
	role := item.text("role")
	if role == "system" || role == "developer" {
		a.System = append(a.System, item.words("content")...)
		return
	}
	t := all.of(role)
	t.Texts = append(t.Texts, item.words("content")...)
	for _, part := range item.list("content") {
		if url := part.text("image_url"); url != "" {
			t.Images = append(t.Images, url)
		}
	}
}
