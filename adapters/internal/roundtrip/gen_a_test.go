package roundtrip

// requestA makes a request of Anthropic's dialect.
func (g *gen) requestA() *node {
	n := obj(
		"model", g.pick("claude-sonnet-4-5", "claude-opus-4-6", "claude-3-7-sonnet-latest", "glm-4.6", "claude-opus-4-8"),
		"max_tokens", lit(g.pick("1", "100", "4096", "64000")),
	)
	switch g.IntN(4) {
	case 0:
		n.set("system", g.text())
	case 1:
		n.set("system", g.times(1, 3, func() *node {
			return g.more(obj("type", "text", "text", g.text(), "cache_control", g.rarely(g.cacheControl())))
		}))
	}
	n.set("messages", g.turnsA())
	if g.odds(2) {
		g.toolsA(n)
	}
	g.settingsA(n)
	return g.more(n)
}

func (g *gen) cacheControl() *node {
	return obj("type", "ephemeral", "ttl", g.maybe(word("1h")))
}

func (g *gen) turnsA() *node {
	l := list()
	for range g.IntN(4) {
		l.kids = append(l.kids, g.userA(), g.assistantA())
		if g.odds(8) {
			l.kids = append(l.kids, obj("role", "system", "content", g.text()))
		}
	}
	l.kids = append(l.kids, g.userA())
	return l
}

// userA answers the calls that wait, and says something.
func (g *gen) userA() *node {
	if len(g.calls) == 0 && g.odds(3) {
		return g.more(obj("role", "user", "content", g.text()))
	}
	blocks := list()
	for _, id := range g.calls {
		blocks.kids = append(blocks.kids, g.resultA(id))
	}
	g.calls = nil
	if len(blocks.kids) == 0 || g.odds(2) {
		blocks.kids = append(blocks.kids, g.times(1, 3, g.shownA).kids...)
	}
	return g.more(obj("role", "user", "content", blocks))
}

func (g *gen) resultA(id string) *node {
	n := obj("type", "tool_result", "tool_use_id", id, "cache_control", g.rarely(g.cacheControl()))
	switch g.IntN(5) {
	case 0:
		n.set("content", g.text())
	case 1:
		n.set("content", g.times(1, 2, g.textA))
	case 2:
		n.set("content", g.times(1, 3, g.shownA))
	case 3:
		n.set("content", list(g.imageA()))
	}
	if g.odds(3) {
		n.set("is_error", lit(g.pick("true", "false")))
	}
	return g.more(n)
}

func (g *gen) textA() *node {
	return g.more(obj("type", "text", "text", g.text(), "cache_control", g.rarely(g.cacheControl())))
}

func (g *gen) imageA() *node {
	return g.more(obj("type", "image", "source", g.sourceA("image/png"), "cache_control", g.rarely(g.cacheControl())))
}

func (g *gen) sourceA(mime string) *node {
	var n *node
	switch g.IntN(4) {
	case 0:
		n = obj("type", "url", "url", "https://example.com/"+g.mark())
	case 1:
		n = obj("type", "file", "file_id", g.id("file_"))
	default:
		n = obj("type", "base64", "media_type", mime, "data", g.mark()+g.base64())
	}
	return g.more(n)
}

// shownA is what a user or a tool may show.
func (g *gen) shownA() *node {
	switch g.IntN(6) {
	case 0:
		return g.imageA()
	case 1:
		source := g.sourceA("application/pdf")
		if g.odds(3) {
			source = obj("type", "text", "media_type", "text/plain", "data", g.text())
		}
		return g.more(obj("type", "document", "source", source, "title", g.maybe(g.text()), "context", g.rarely(g.text()),
			"citations", g.rarely(obj("enabled", lit("true"))), "cache_control", g.rarely(g.cacheControl())))
	case 2:
		if g.odds(2) {
			return obj("type", "search_result", "source", g.text(), "title", g.text(), "content", list(obj("type", "text", "text", g.text())))
		}
		return obj("type", "document", "source", obj("type", "content", "content", list(obj("type", "text", "text", g.text()))))
	default:
		return g.textA()
	}
}

func (g *gen) assistantA() *node {
	if g.odds(4) {
		return g.more(obj("role", "assistant", "content", g.text()))
	}
	return g.more(obj("role", "assistant", "content", list(g.saidA(true)...)))
}

// saidA is what the model says in a turn: in a request, or in an answer.
func (g *gen) saidA(request bool) []*node {
	var l []*node
	for range g.IntN(3) {
		if g.odds(4) {
			l = append(l, g.more(obj("type", "redacted_thinking", "data", g.mark()+"ZGF0YQ==")))
			continue
		}
		l = append(l, g.more(obj("type", "thinking", "thinking", g.text(), "signature", g.mark()+"c2ln/+==")))
	}
	for range g.IntN(3) {
		n := obj("type", "text", "text", g.text(), "citations", g.rarely(g.citationsA()))
		if request {
			n.set("cache_control", g.cacheControl())
			if g.odds(2) {
				n = obj("type", "text", "text", n.get("text"))
			}
		}
		l = append(l, g.more(n))
	}
	if g.odds(6) {
		id := g.id("srvtoolu_")
		l = append(l, obj("type", "server_tool_use", "id", id, "name", "web_search", "input", obj("query", g.text())),
			obj("type", "web_search_tool_result", "tool_use_id", id, "content", list(obj("type", "web_search_result", "url", g.text()))))
	}
	for range g.IntN(4) * g.IntN(2) {
		id := g.id("toolu_")
		if g.odds(10) {
			id += "_and_so_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on"[:10+g.IntN(40)]
		}
		g.calls = append(g.calls, id)
		n := obj("type", "tool_use", "id", id, "name", g.id("tool_"), "input", g.arguments())
		if request {
			n.set("cache_control", g.cacheControl())
			if !g.odds(5) {
				n = obj("type", "tool_use", "id", id, "name", n.get("name"), "input", n.get("input"))
			}
		}
		l = append(l, g.more(n))
	}
	if len(l) == 0 {
		l = append(l, g.more(obj("type", "text", "text", g.text())))
	}
	return l
}

func (g *gen) citationsA() *node {
	return list(obj("type", g.pick("web_search_result_location", "char_location"), "url", "https://example.com/"+g.mark(),
		"title", g.text(), "cited_text", g.text()))
}

func (g *gen) toolsA(n *node) {
	var names []string
	n.set("tools", g.times(1, 3, func() *node {
		if g.odds(5) {
			return g.more(obj("type", g.pick("web_search_20250305", "bash_20250124", "computer_20250124", "text_editor_20250728"),
				"name", g.id("server_"), "max_uses", g.maybe(lit("3")), "cache_control", g.rarely(g.cacheControl())))
		}
		name := g.id("tool_")
		names = append(names, name)
		return g.more(obj("name", name, "description", g.maybe(g.text()), "input_schema", g.schema(),
			"strict", g.rarely(lit(g.pick("true", "false"))), "cache_control", g.rarely(g.cacheControl()), "defer_loading", g.rarely(lit("true"))))
	}))
	if g.odds(3) {
		return
	}
	choice := obj("type", g.pick("auto", "any", "none"))
	if len(names) > 0 && g.odds(3) {
		choice = obj("type", "tool", "name", names[0])
	}
	if choice.get("type").mean != "none" && g.odds(2) {
		choice.set("disable_parallel_tool_use", lit(g.pick("true", "false")))
	}
	n.set("tool_choice", g.more(choice))
}

func (g *gen) settingsA(n *node) {
	set := func(name string, v *node) {
		if g.odds(4) {
			n.set(name, v)
		}
	}
	set("stream", lit("true"))
	set("temperature", lit(g.pick("0", "0.50", "1.0", "1")))
	set("top_p", lit(g.pick("0.9", "0.99", "1")))
	set("top_k", lit("40"))
	set("stop_sequences", g.times(1, 6, g.text))
	set("metadata", g.more(obj("user_id", g.pick(g.id("user_"), g.id("user_")+"_0123456789012345678901234567890123456789012345678901234567890123"))))
	set("service_tier", word(g.pick("auto", "standard_only")))
	set("container", g.text())
	set("context_management", obj("edits", list(obj("type", "clear_tool_uses_20250919"))))
	set("mcp_servers", list(obj("type", "url", "url", g.text(), "name", g.text())))
	switch g.IntN(8) {
	case 0:
		n.set("thinking", g.more(obj("type", "enabled", "budget_tokens", lit(g.pick("1024", "5000", "20000")), "display", g.maybe(word("omitted")))))
	case 1:
		n.set("thinking", g.more(obj("type", "adaptive", "display", g.maybe(word("summarized")))))
	case 2:
		n.set("thinking", obj("type", "disabled"))
	}
	if g.odds(4) {
		n.set("output_config", g.more(obj("effort", g.maybe(word(g.pick("low", "medium", "high", "max"))),
			"format", g.more(obj("type", "json_schema", "schema", g.schema())))))
	}
}

// answerA makes an answer of Anthropic's dialect.
func (g *gen) answerA() *node {
	g.calls = nil
	content := list(g.saidA(false)...)
	reason := g.pick("end_turn", "max_tokens", "stop_sequence", "refusal", "pause_turn", "model_context_window_exceeded")
	if len(g.calls) > 0 {
		reason = "tool_use"
	}
	sequence := lit("null")
	if reason == "stop_sequence" {
		sequence = g.text()
	}
	return g.more(obj("id", g.id("msg_"), "type", "message", "role", "assistant", "model", g.id("claude-"), "content", content,
		"stop_reason", reason, "stop_sequence", sequence,
		"usage", g.more(obj("input_tokens", lit("7"), "cache_creation_input_tokens", lit("5"), "cache_read_input_tokens", lit("3"),
			"output_tokens", lit("11"), "service_tier", g.maybe(word("standard"))))))
}
