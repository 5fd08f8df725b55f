package roundtrip

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// streamer tells an answer in the events of a dialect, in fragments of any size.
type streamer struct {
	g      *gen
	events []adapters.Event
	seq    int
}

func (s *streamer) send(name string, data *node) {
	s.events = append(s.events, adapters.Event{Type: name, Data: data.render(nil)})
}

// fragments cuts a string anywhere but in escapes and halves of a pair.
func (s *streamer) fragments(n *node) []*node {
	if !n.is('"') || n.mean == "" {
		return nil
	}
	var cuts []string
	in, start := n.text[1:len(n.text)-1], 0
	for i := 0; i < len(in); {
		size := 1
		switch {
		case strings.HasPrefix(in[i:], `\ud83d\ud`):
			size = 12
		case strings.HasPrefix(in[i:], `\u`):
			size = 6
		case in[i] == '\\':
			size = 2
		}
		i += size
		if i < len(in) && in[i]&0xc0 != 0x80 && s.g.odds(9) {
			cuts = append(cuts, in[start:i])
			start = i
		}
	}
	var list []*node
	for _, c := range append(cuts, in[start:]) {
		list = append(list, str(`"`+c+`"`))
	}
	return list
}

// without copies an object but for some members.
func (n *node) without(names ...string) *node {
	out := obj()
	for i, name := range n.names {
		if !slices.Contains(names, name) {
			out.set(name, n.kids[i])
		}
	}
	return out
}

func integer(i int) *node { return lit(strconv.Itoa(i)) }

// streamA tells an answer as Anthropic does.
func streamA(g *gen, answer *node) []adapters.Event {
	s := streamer{g: g}
	message := answer.without("content", "stop_reason", "stop_sequence", "usage")
	message.set("content", list())
	message.set("stop_reason", lit("null"))
	message.set("stop_sequence", lit("null"))
	usage := answer.get("usage").without("output_tokens")
	usage.set("output_tokens", lit("1"))
	message.set("usage", usage)
	s.send("message_start", obj("type", "message_start", "message", message))
	for i, block := range answer.get("content").kids {
		if g.odds(5) {
			s.send("ping", obj("type", "ping"))
		}
		s.blockA(i, block)
	}
	s.send("message_delta", obj("type", "message_delta", "delta",
		obj("stop_reason", answer.get("stop_reason"), "stop_sequence", answer.get("stop_sequence")),
		"usage", obj("output_tokens", answer.get("usage").get("output_tokens"))))
	s.send("message_stop", obj("type", "message_stop"))
	return s.events
}

func (s *streamer) blockA(i int, block *node) {
	start := block
	var deltas []*node
	delta := func(typ, name string, v *node) {
		deltas = append(deltas, obj("type", typ, name, v))
	}
	switch block.get("type").mean {
	case "text":
		start = block.without("text", "citations")
		start.set("text", word(""))
		for _, f := range s.fragments(block.get("text")) {
			delta("text_delta", "text", f)
		}
		if c := block.get("citations"); c != nil {
			for _, one := range c.kids {
				delta("citations_delta", "citation", one)
			}
		}
	case "thinking":
		start = block.without("thinking", "signature")
		start.set("thinking", word(""))
		start.set("signature", word(""))
		for _, f := range s.fragments(block.get("thinking")) {
			delta("thinking_delta", "thinking", f)
		}
		for _, f := range s.fragments(block.get("signature")) {
			delta("signature_delta", "signature", f)
		}
	case "tool_use":
		start = block.without("input")
		start.set("input", obj())
		text := quote(string(block.get("input").render(nil)))
		if text.mean == "{}" {
			text = word("")
			delta("input_json_delta", "partial_json", text)
		}
		for _, f := range s.fragments(text) {
			delta("input_json_delta", "partial_json", f)
		}
	}
	s.send("content_block_start", obj("type", "content_block_start", "index", integer(i), "content_block", start))
	for _, d := range deltas {
		s.send("content_block_delta", obj("type", "content_block_delta", "index", integer(i), "delta", d))
	}
	s.send("content_block_stop", obj("type", "content_block_stop", "index", integer(i)))
}

// streamC tells an answer as Chat Completions does.
func streamC(g *gen, answer *node) []adapters.Event {
	s := streamer{g: g}
	head := answer.without("choices", "usage", "object")
	head.set("object", word("chat.completion.chunk"))
	send := func(choice int, delta, finish, logprobs *node) {
		c := obj("index", integer(choice), "delta", delta, "finish_reason", finish)
		if logprobs != nil {
			c.set("logprobs", logprobs)
		}
		chunk := head.without()
		chunk.set("choices", list(c))
		s.send("", chunk)
	}
	for i, choice := range answer.get("choices").kids {
		send(i, obj("role", "assistant", "content", word("")), lit("null"), nil)
		for _, d := range s.deltasC(choice.get("message")) {
			send(i, d, lit("null"), nil)
		}
		send(i, obj(), choice.get("finish_reason"), nil)
	}
	last := head.without()
	last.set("choices", list())
	last.set("usage", answer.get("usage"))
	s.send("", last)
	s.events = append(s.events, adapters.Event{Data: []byte("[DONE]")})
	return s.events
}

func (s *streamer) deltasC(m *node) []*node {
	var list []*node
	add := func(name string, fragments []*node) {
		for _, f := range fragments {
			list = append(list, obj(name, f))
		}
	}
	add("reasoning_content", s.fragments(m.get("reasoning_content")))
	if d := m.get("reasoning_details"); d != nil {
		list = append(list, obj("reasoning_details", d))
	}
	add("content", s.fragments(m.get("content")))
	if a := m.get("annotations"); a != nil {
		list = append(list, obj("annotations", a))
	}
	add("refusal", s.fragments(m.get("refusal")))
	if m.get("tool_calls") == nil {
		return list
	}
	for i, call := range m.get("tool_calls").kids {
		kind, name := "function", "arguments"
		if call.get("custom") != nil {
			kind, name = "custom", "input"
		}
		inside := call.get(kind).without(name)
		inside.set(name, word(""))
		list = append(list, obj("tool_calls", lone(obj("index", integer(i), "id", call.get("id"), "type", kind, kind, inside))))
		for _, f := range s.fragments(call.get(kind).get(name)) {
			list = append(list, obj("tool_calls", lone(obj("index", integer(i), kind, obj(name, f)))))
		}
	}
	return list
}

func lone(n *node) *node { return list(n) }

// streamR tells an answer as Responses does.
func streamR(g *gen, answer *node) []adapters.Event {
	s := streamer{g: g}
	response := answer.without("output", "status", "usage", "incomplete_details")
	response.set("status", word("in_progress"))
	response.set("output", list())
	s.sendR("response.created", "response", response)
	s.sendR("response.in_progress", "response", response)
	for i, item := range answer.get("output").kids {
		s.itemR(i, item)
	}
	name := "response." + answer.get("status").mean
	s.sendR(name, "response", answer)
	return s.events
}

func (s *streamer) sendR(name string, members ...any) {
	data := obj(append([]any{"type", name, "sequence_number", integer(s.seq)}, members...)...)
	s.seq++
	s.send(name, data)
}

func (s *streamer) itemR(i int, item *node) {
	at, id := integer(i), item.get("id")
	start := item.without("status", "content", "summary", "encrypted_content", "arguments", "input")
	tell := func(name, index string, place int, fragments []*node) {
		for _, f := range fragments {
			s.sendR(name, "item_id", id, "output_index", at, index, integer(place), "delta", f)
		}
	}
	kind := item.get("type").mean
	switch kind {
	case "message":
		start.set("content", list())
		s.sendR("response.output_item.added", "output_index", at, "item", start)
		for k, part := range item.get("content").kids {
			s.partR(at, id, k, part, tell)
		}
	case "reasoning":
		start.set("summary", list())
		s.sendR("response.output_item.added", "output_index", at, "item", start)
		for k, part := range item.get("summary").kids {
			s.sendR("response.reasoning_summary_part.added", "item_id", id, "output_index", at, "summary_index", integer(k),
				"part", obj("type", "summary_text", "text", word("")))
			tell("response.reasoning_summary_text.delta", "summary_index", k, s.fragments(part.get("text")))
			s.sendR("response.reasoning_summary_text.done", "item_id", id, "output_index", at, "summary_index", integer(k), "text", part.get("text"))
			s.sendR("response.reasoning_summary_part.done", "item_id", id, "output_index", at, "summary_index", integer(k), "part", part)
		}
	case "function_call":
		start.set("arguments", word(""))
		s.sendR("response.output_item.added", "output_index", at, "item", start)
		tell("response.function_call_arguments.delta", "x", 0, s.fragments(item.get("arguments")))
		s.sendR("response.function_call_arguments.done", "item_id", id, "output_index", at, "arguments", item.get("arguments"))
	case "custom_tool_call":
		start.set("input", word(""))
		s.sendR("response.output_item.added", "output_index", at, "item", start)
		tell("response.custom_tool_call_input.delta", "x", 0, s.fragments(item.get("input")))
		s.sendR("response.custom_tool_call_input.done", "item_id", id, "output_index", at, "input", item.get("input"))
	default:
		s.sendR("response.output_item.added", "output_index", at, "item", item)
	}
	s.sendR("response.output_item.done", "output_index", at, "item", item)
}

func (s *streamer) partR(at, id *node, k int, part *node, tell func(string, string, int, []*node)) {
	text, empty, name := "text", obj("type", "output_text", "text", word(""), "annotations", list()), "output_text"
	if part.get("type").mean == "refusal" {
		text, empty, name = "refusal", obj("type", "refusal", "refusal", word("")), "refusal"
	}
	s.sendR("response.content_part.added", "item_id", id, "output_index", at, "content_index", integer(k), "part", empty)
	tell("response."+name+".delta", "content_index", k, s.fragments(part.get(text)))
	if a := part.get("annotations"); a != nil && s.g.odds(2) {
		for i, one := range a.kids {
			s.sendR("response.output_text.annotation.added", "item_id", id, "output_index", at, "content_index", integer(k),
				"annotation_index", integer(i), "annotation", one)
		}
	}
	s.sendR("response."+name+".done", "item_id", id, "output_index", at, "content_index", integer(k), text, part.get(text))
	s.sendR("response.content_part.done", "item_id", id, "output_index", at, "content_index", integer(k), "part", part)
}
