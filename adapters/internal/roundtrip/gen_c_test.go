package roundtrip

// requestC makes a request of Chat Completions.
func (g *gen) requestC() *node {
	n := obj("model", g.pick("gpt-5", "gpt-4o", "claude-sonnet-4-5", "claude-opus-4-6", "o3"))
	l := list()
	for range g.IntN(3) {
		l.kids = append(l.kids, g.more(obj("role", g.pick("system", "developer"), "content", g.textsC(), "name", g.rarely(g.text()))))
	}
	for range g.IntN(4) {
		l.kids = append(l.kids, g.userC(), g.assistantC())
		l.kids = append(l.kids, g.resultsC()...)
		if g.odds(8) {
			l.kids = append(l.kids, g.userC(), obj("role", "system", "content", g.text()))
		}
	}
	l.kids = append(l.kids, g.userC())
	n.set("messages", l)
	if g.odds(2) {
		g.toolsC(n)
	}
	g.settingsC(n)
	return g.more(n)
}

// textsC is the content of a message that holds text alone.
func (g *gen) textsC() *node {
	if g.odds(2) {
		return g.text()
	}
	return g.times(1, 3, g.textC)
}

func (g *gen) textC() *node {
	return g.more(obj("type", "text", "text", g.text(), "cache_control", g.rarely(g.cacheControl())))
}

func (g *gen) userC() *node {
	content := g.textsC()
	if g.odds(2) {
		content = g.times(1, 3, g.shownC)
	}
	return g.more(obj("role", "user", "content", content, "name", g.rarely(g.text())))
}

func (g *gen) shownC() *node {
	switch g.IntN(6) {
	case 0:
		url := g.pick("https://example.com/", "data:image/png;base64,", "data:image/svg+xml;utf8,") + g.mark()
		return g.more(obj("type", "image_url", "image_url", g.more(obj("url", url, "detail", g.maybe(word(g.pick("auto", "high")))))))
	case 1:
		file := obj("filename", g.id("file")+".pdf", "file_data", "data:application/pdf;base64,"+g.mark()+"AAA=")
		switch g.IntN(3) {
		case 0:
			file = obj("file_id", g.id("file-"))
		case 1:
			file.set("file_data", word("data:text/plain;base64,"+g.pick("aGVsbG8=", "//79")))
		}
		return g.more(obj("type", "file", "file", g.more(file)))
	case 2:
		return g.more(obj("type", "input_audio", "input_audio", obj("data", g.mark()+"AAA=", "format", g.pick("wav", "mp3"))))
	case 3:
		return obj("type", "video_url", "video_url", obj("url", g.text()))
	default:
		return g.textC()
	}
}

func (g *gen) assistantC() *node {
	n := g.answeredC(true)
	n.set("role", word("assistant"))
	if g.odds(6) {
		n.set("name", g.text())
	}
	return g.more(n)
}

// answeredC is what the model says, in a request or in an answer.
func (g *gen) answeredC(request bool) *node {
	n := obj()
	g.reasoningC(n)
	calls := list()
	g.calls = nil
	for range g.IntN(4) * g.IntN(2) {
		id := g.id(g.pick("call_", "toolu_", "call.with spaces/"))
		if g.odds(10) {
			id += "_and_so_on_and_on_and_on_and_on_and_on_and_on_and_on"[:10+g.IntN(30)]
		}
		g.calls = append(g.calls, id)
		if g.odds(5) {
			calls.kids = append(calls.kids, obj("id", id, "type", "custom", "custom", obj("name", g.id("free_"), "input", g.text())))
			continue
		}
		args := quote(string(g.arguments().render(nil)))
		if g.odds(12) {
			args = g.text() // no JSON
		}
		call := obj("id", id, "type", "function", "function", obj("name", g.id("tool_"), "arguments", args))
		if request {
			call = g.more(call)
		}
		calls.kids = append(calls.kids, call)
	}
	switch {
	case len(calls.kids) == 0 && g.odds(8):
		n.set("content", lit("null"))
		n.set("refusal", g.text())
	case request && g.odds(4):
		n.set("content", g.times(1, 2, g.textC))
	case len(calls.kids) == 0 || g.odds(2):
		n.set("content", g.text())
	default:
		n.set("content", lit("null"))
	}
	if len(calls.kids) > 0 {
		n.set("tool_calls", calls)
	}
	return n
}

// reasoningC is thinking as compatible servers tell it.
func (g *gen) reasoningC(n *node) {
	switch g.IntN(6) {
	case 0:
		n.set("reasoning_content", g.text())
	case 1:
		text := g.text()
		n.set("reasoning_content", text)
		n.set("reasoning_details", list(
			obj("type", "reasoning.text", "text", text, "signature", g.mark()+"c2ln", "format", "anthropic-claude-v1", "index", lit("0")),
			obj("type", "reasoning.encrypted", "data", g.mark()+"ZW5j", "format", "anthropic-claude-v1", "index", lit("1"))))
	case 2:
		one, two, id := g.text(), g.text(), g.id("rs_")
		n.set("reasoning_content", quote(one.mean+"\n\n"+two.mean))
		n.set("reasoning_details", list(
			obj("type", "reasoning.summary", "summary", one, "id", id, "format", "openai-responses-v1", "index", lit("0")),
			obj("type", "reasoning.summary", "summary", two, "id", id, "format", "openai-responses-v1", "index", lit("0")),
			obj("type", "reasoning.encrypted", "data", g.mark()+"ZW5j", "id", id, "format", "openai-responses-v1", "index", lit("0")),
			obj("type", "reasoning.encrypted", "data", g.mark()+"Z29v", "format", "google-gemini-v1", "index", lit("1"))))
	}
}

func (g *gen) resultsC() []*node {
	var l []*node
	for _, id := range g.calls {
		l = append(l, g.more(obj("role", "tool", "tool_call_id", id, "content", g.textsC())))
	}
	g.calls = nil
	return l
}

func (g *gen) toolsC(n *node) {
	var names []string
	n.set("tools", g.times(1, 3, func() *node {
		name := g.id("tool_")
		switch g.IntN(5) {
		case 0:
			return obj("type", g.pick("web_search", "code_interpreter"), "options", g.text())
		case 1:
			format := obj("type", "text")
			if g.odds(2) {
				format = obj("type", "grammar", "grammar", obj("syntax", "lark", "definition", g.text()))
			}
			return obj("type", "custom", "custom", obj("name", name, "description", g.maybe(g.text()), "format", g.maybe(format)))
		}
		names = append(names, name)
		return g.more(obj("type", "function", "function", g.more(obj("name", name, "description", g.maybe(g.text()),
			"parameters", g.maybe(g.schema()), "strict", g.rarely(lit(g.pick("true", "false"))))), "cache_control", g.rarely(g.cacheControl())))
	}))
	if g.odds(3) {
		n.set("parallel_tool_calls", lit(g.pick("true", "false")))
	}
	switch {
	case g.odds(3):
	case len(names) > 0 && g.odds(3):
		n.set("tool_choice", obj("type", "function", "function", obj("name", names[0])))
	case len(names) > 0 && g.odds(4):
		n.set("tool_choice", obj("type", "allowed_tools", "allowed_tools", obj("mode", g.pick("auto", "required"),
			"tools", list(obj("type", "function", "function", obj("name", names[0]))))))
	default:
		n.set("tool_choice", word(g.pick("auto", "none", "required")))
	}
}

func (g *gen) settingsC(n *node) {
	set := func(name string, v *node) {
		if g.odds(5) {
			n.set(name, v)
		}
	}
	set("max_tokens", lit("4000"))
	set("max_completion_tokens", lit(g.pick("5", "2000", "9000")))
	set("stream", lit("true"))
	set("stream_options", g.more(obj("include_usage", lit("true"))))
	set("temperature", lit(g.pick("0", "0.50", "1", "1.7")))
	set("top_p", lit(g.pick("0.9", "1.0")))
	set("n", lit(g.pick("1", "3")))
	set("seed", lit("9007199254740993"))
	set("stop", g.text())
	set("stop", g.times(1, 4, g.text))
	set("presence_penalty", lit(g.pick("0", "-1.5")))
	set("frequency_penalty", lit(g.pick("0", "0.1")))
	set("logprobs", lit(g.pick("true", "false")))
	set("top_logprobs", lit("2"))
	set("logit_bias", obj("50256", lit("-100")))
	set("user", word(g.id("user")))
	set("metadata", obj("k", g.text()))
	set("service_tier", word(g.pick("auto", "default", "flex", "priority")))
	set("store", lit(g.pick("true", "false")))
	set("prompt_cache_key", g.text())
	set("safety_identifier", g.text())
	set("verbosity", word(g.pick("low", "medium")))
	set("reasoning_effort", word(g.pick("none", "minimal", "low", "medium", "high", "xhigh")))
	set("modalities", list(word("text")))
	set("web_search_options", obj("search_context_size", "low"))
	switch g.IntN(6) {
	case 0:
		n.set("response_format", obj("type", g.pick("text", "json_object")))
	case 1:
		n.set("response_format", g.more(obj("type", "json_schema", "json_schema", g.more(obj("name", g.id("n"), "description", g.maybe(g.text()),
			"schema", g.maybe(g.schema()), "strict", g.maybe(lit("true")))))))
	}
}

// answerC makes an answer of Chat Completions.
func (g *gen) answerC() *node {
	choices := list()
	for i := range 1 + g.IntN(2)*g.IntN(3) {
		m := g.answeredC(false)
		m.set("role", word("assistant"))
		if m.get("refusal") == nil {
			m.set("refusal", lit("null"))
		}
		if m.get("content").is('"') && g.odds(4) {
			m.set("annotations", list(obj("type", "url_citation", "url_citation",
				obj("start_index", lit("0"), "end_index", lit("2"), "title", g.text(), "url", g.text()))))
		}
		reason := g.pick("stop", "length", "content_filter")
		if m.get("tool_calls") != nil {
			reason = "tool_calls"
		}
		logprobs := lit("null")
		if g.odds(5) {
			logprobs = obj("content", list(obj("token", g.text(), "logprob", lit("-0.10"))), "refusal", lit("null"))
		}
		choices.kids = append(choices.kids, g.more(obj("index", lit(string(rune('0'+i))), "message", g.more(m),
			"logprobs", logprobs, "finish_reason", reason)))
	}
	usage := obj("prompt_tokens", lit("20"), "completion_tokens", lit("11"), "total_tokens", lit("31"),
		"prompt_tokens_details", g.more(obj("cached_tokens", lit("3"))),
		"completion_tokens_details", g.more(obj("reasoning_tokens", lit("4"))))
	return g.more(obj("id", g.id("chatcmpl-"), "object", "chat.completion", "created", lit("1700000000"), "model", g.id("gpt-"),
		"choices", choices, "usage", g.more(usage), "service_tier", g.maybe(word("default")), "system_fingerprint", g.maybe(g.text())))
}

// spellRequestC: the newer name of the limit, stop as a list, and the usage of streams, which is always asked for.
func spellRequestC(n *node) {
	if v := n.get("max_tokens"); v != nil && n.get("max_completion_tokens") == nil {
		n.remove("max_tokens")
		n.set("max_completion_tokens", v)
	}
	if v := n.get("stop"); v.is('"') {
		n.set("stop", list(v))
	}
	options := n.get("stream_options")
	switch {
	case n.get("stream") != nil && options != nil:
		options.set("include_usage", lit("true"))
	case n.get("stream") != nil:
		n.set("stream_options", obj("include_usage", lit("true")))
	case options != nil && len(options.names) == 1:
		n.remove("stream_options") // means nothing without a stream
	}
	if n.get("tools") == nil || len(n.get("tools").kids) == 0 {
		n.remove("parallel_tool_calls")
	}
}

func spellAnswerC(*node) {}
