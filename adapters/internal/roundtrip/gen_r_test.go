package roundtrip

// requestR makes a request of Responses.
func (g *gen) requestR() *node {
	n := obj("model", g.pick("gpt-5", "gpt-5.1-codex", "o4-mini", "claude-sonnet-4-5", "claude-opus-4-6"))
	if g.odds(2) {
		n.set("instructions", g.text())
	}
	if g.odds(10) {
		n.set("input", g.text())
	} else {
		l := list()
		for range g.IntN(4) {
			l.kids = append(l.kids, g.userR())
			l.kids = append(l.kids, g.turnR()...)
			l.kids = append(l.kids, g.outputsR()...)
		}
		l.kids = append(l.kids, g.userR())
		n.set("input", l)
	}
	if g.odds(2) {
		g.toolsR(n)
	}
	g.settingsR(n)
	return g.more(n)
}

func (g *gen) userR() *node {
	role := "user"
	if g.odds(5) {
		role = g.pick("system", "developer")
	}
	content := g.text()
	switch {
	case role == "user" && g.odds(2):
		content = g.times(1, 3, g.shownR)
	case g.odds(2):
		content = g.times(1, 2, g.textR)
	}
	n := obj("type", "message", "role", role, "content", content, "id", g.rarely(word(g.id("msg_"))))
	if g.odds(4) {
		n.remove("type")
	}
	return g.more(n)
}

func (g *gen) textR() *node { return g.more(obj("type", "input_text", "text", g.text())) }

func (g *gen) shownR() *node {
	switch g.IntN(6) {
	case 0:
		n := obj("type", "input_image", "image_url", g.pick("https://example.com/", "data:image/png;base64,")+g.mark())
		if g.odds(4) {
			n = obj("type", "input_image", "file_id", g.id("file-"))
		}
		if g.odds(3) {
			n.set("detail", word(g.pick("auto", "high", "original")))
		}
		return g.more(n)
	case 1:
		n := obj("type", "input_file", "filename", g.id("f")+".pdf", "file_data", "data:application/pdf;base64,"+g.mark()+"AAA=")
		switch g.IntN(3) {
		case 0:
			n = obj("type", "input_file", "file_id", g.id("file-"))
		case 1:
			n = obj("type", "input_file", "file_url", "https://example.com/"+g.mark())
		}
		return g.more(n)
	case 2:
		return g.more(obj("type", "input_audio", "input_audio", obj("data", g.mark()+"AAA=", "format", g.pick("wav", "mp3"))))
	case 3:
		return obj("type", "input_new", "more", g.text())
	default:
		return g.textR()
	}
}

// turnR is what the model has said, thought and called.
func (g *gen) turnR() []*node {
	l := g.outputR(true)
	if g.odds(8) {
		l = append(l, obj("type", "item_reference", "id", g.id("msg_")))
	}
	return l
}

// outputR is the output of an answer, or the same in the input of the next request.
func (g *gen) outputR(request bool) []*node {
	var l []*node
	status := func() *node {
		if request && g.odds(2) {
			return nil
		}
		return word("completed")
	}
	g.calls = nil
	for range g.IntN(2) {
		n := obj("type", "reasoning", "id", g.id("rs_"), "summary", g.times(0, 2, func() *node {
			return obj("type", "summary_text", "text", g.text())
		}), "encrypted_content", g.maybe(word(g.mark()+"gAAA")))
		if len(n.get("summary").kids) == 0 && g.odds(2) {
			n.set("content", list(obj("type", "reasoning_text", "text", g.text())))
		} else if len(n.get("summary").kids) == 0 && n.get("encrypted_content") == nil {
			n.set("encrypted_content", word(g.mark()+"gAAA")) // one with nothing in it is left out without a word
		}
		l = append(l, g.more(n))
	}
	if g.odds(8) {
		l = append(l, obj("type", "web_search_call", "id", g.id("ws_"), "status", "completed", "action", obj("query", g.text())))
	}
	for range g.IntN(3) {
		l = append(l, g.more(obj("type", "message", "id", g.id("msg_"), "role", "assistant", "status", status(), "content",
			g.times(1, 2, func() *node { return g.saidR(request) }))))
	}
	for range g.IntN(4) * g.IntN(2) {
		id := g.id("call_")
		if g.odds(10) {
			id += "_and_so_on_and_on_and_on_and_on_and_on_and_on_and_on"[:10+g.IntN(30)]
		}
		if g.odds(4) {
			g.calls = append(g.calls, "custom "+id)
			l = append(l, g.more(obj("type", "custom_tool_call", "id", g.id("ctc_"), "call_id", id, "status", status(),
				"name", g.id("free_"), "input", g.text())))
			continue
		}
		g.calls = append(g.calls, "function "+id)
		args := quote(string(g.arguments().render(nil)))
		if g.odds(12) {
			args = g.text() // no JSON
		}
		l = append(l, g.more(obj("type", "function_call", "id", g.id("fc_"), "call_id", id, "status", status(),
			"name", g.id("tool_"), "arguments", args)))
	}
	return l
}

func (g *gen) saidR(request bool) *node {
	if g.odds(8) {
		return g.more(obj("type", "refusal", "refusal", g.text()))
	}
	n := obj("type", "output_text", "text", g.text())
	if g.odds(4) {
		n.set("annotations", list(obj("type", g.pick("url_citation", "file_citation"), "url", g.text(), "title", g.text())))
	} else if !request {
		n.set("annotations", list())
	}
	if !request {
		n.set("logprobs", list())
		if g.odds(6) {
			n.set("logprobs", list(obj("token", g.text(), "logprob", lit("-0.5"))))
		}
	}
	return g.more(n)
}

func (g *gen) outputsR() []*node {
	var l []*node
	for _, call := range g.calls {
		output := g.text()
		if g.odds(3) {
			output = g.times(1, 3, g.shownR)
		}
		typ, id := "function_call_output", call[len("function "):]
		if call[0] == 'c' {
			typ, id = "custom_tool_call_output", call[len("custom "):]
		}
		l = append(l, g.more(obj("type", typ, "call_id", id, "output", output, "id", g.rarely(word(g.id("fco_"))),
			"status", g.rarely(word("completed")))))
	}
	g.calls = nil
	return l
}

func (g *gen) toolsR(n *node) {
	var names []string
	n.set("tools", g.times(1, 3, func() *node {
		name := g.id("tool_")
		switch g.IntN(5) {
		case 0:
			return obj("type", g.pick("web_search", "local_shell", "namespace"), "options", g.text())
		case 1:
			format := obj("type", "text")
			if g.odds(2) {
				format = obj("type", "grammar", "syntax", "lark", "definition", g.text())
			}
			return g.more(obj("type", "custom", "name", name, "description", g.maybe(g.text()), "format", g.maybe(format)))
		}
		names = append(names, name)
		return g.more(obj("type", "function", "name", name, "description", g.maybe(g.text()), "parameters", g.maybe(g.schema()),
			"strict", g.maybe(lit(g.pick("true", "false", "null")))))
	}))
	if g.odds(3) {
		n.set("parallel_tool_calls", lit(g.pick("true", "false")))
	}
	switch {
	case g.odds(3):
	case len(names) > 0 && g.odds(3):
		n.set("tool_choice", obj("type", "function", "name", names[0]))
	case len(names) > 0 && g.odds(4):
		n.set("tool_choice", obj("type", "allowed_tools", "mode", g.pick("auto", "required"), "tools", list(obj("type", "function", "name", names[0]))))
	default:
		n.set("tool_choice", word(g.pick("auto", "none", "required")))
	}
}

func (g *gen) settingsR(n *node) {
	set := func(name string, v *node) {
		if g.odds(5) {
			n.set(name, v)
		}
	}
	set("max_output_tokens", lit(g.pick("16", "2000", "9000")))
	set("stream", lit("true"))
	if n.get("stream") != nil {
		set("stream_options", obj("include_obfuscation", lit("false")))
	}
	set("temperature", lit(g.pick("0", "0.50", "1", "1.7")))
	set("top_p", lit(g.pick("0.9", "1.0")))
	set("top_logprobs", lit("2"))
	set("user", word(g.id("user")))
	set("metadata", obj("k", g.text()))
	set("service_tier", word(g.pick("auto", "default", "flex", "priority")))
	set("store", lit(g.pick("true", "false")))
	set("prompt_cache_key", g.text())
	set("safety_identifier", g.text())
	set("previous_response_id", word(g.id("resp_")))
	set("truncation", word(g.pick("auto", "disabled")))
	set("include", list(word(g.pick("reasoning.encrypted_content", "web_search_call.action.sources"))))
	set("background", lit("false"))
	set("max_tool_calls", lit("4"))
	set("reasoning", g.more(obj("effort", g.maybe(word(g.pick("none", "minimal", "low", "medium", "high", "xhigh"))),
		"summary", g.maybe(word(g.pick("auto", "detailed"))))))
	if g.odds(4) {
		text := obj("verbosity", g.maybe(word(g.pick("low", "medium"))))
		switch g.IntN(3) {
		case 0:
			text.set("format", obj("type", g.pick("text", "json_object")))
		case 1:
			text.set("format", g.more(obj("type", "json_schema", "name", g.id("n"), "description", g.maybe(g.text()),
				"schema", g.schema(), "strict", g.maybe(lit("true")))))
		}
		if g.more(text); len(text.names) > 0 {
			n.set("text", text)
		}
	}
}

// answerR makes an answer of Responses.
func (g *gen) answerR() *node {
	status, details := "completed", lit("null")
	if g.odds(4) {
		status, details = "incomplete", obj("reason", g.pick("max_output_tokens", "content_filter"))
	}
	output := list(g.outputR(false)...)
	usage := obj("input_tokens", lit("20"), "input_tokens_details", obj("cached_tokens", lit("3")), "output_tokens", lit("11"),
		"output_tokens_details", obj("reasoning_tokens", lit("4")), "total_tokens", lit("31"))
	return g.more(obj("id", g.id("resp_"), "object", "response", "created_at", lit("1700000000"), "status", status,
		"error", lit("null"), "incomplete_details", details, "model", g.id("gpt-"), "output", output,
		"instructions", lit("null"), "metadata", obj(), "parallel_tool_calls", lit("true"), "temperature", lit("1.0"),
		"tool_choice", "auto", "tools", list(), "top_p", lit("1.0"), "reasoning", obj("effort", lit("null"), "summary", lit("null")),
		"text", obj("format", obj("type", "text")), "truncation", "disabled", "store", lit("true"), "service_tier", "default",
		"usage", g.more(usage)))
}

// spellRequestR: messages have a type, the input is a list, and an empty list of sources is none.
func spellRequestR(n *node) {
	if v := n.get("input"); v.is('"') {
		n.set("input", list(obj("type", "message", "role", "user", "content", v)))
	}
	for _, item := range n.get("input").kids {
		if item.get("type") == nil {
			item.set("type", word("message"))
		}
	}
}

func spellAnswerR(*node) {}
