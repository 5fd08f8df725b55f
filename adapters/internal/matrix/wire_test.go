package matrix

import (
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// What cases leave out: streams begin with beginning, and chunks of Chat and response objects have these members.
const (
	beginning = "(start)"
	lastWord  = "[DONE]"
	model     = "m"
	created   = "1700000000"

	firstChunk = `{"delta":{"role":"assistant","content":""}}`
)

func itoa(i int) string { return strconv.Itoa(i) }

// sourceID is the id of an answer of a dialect.
func sourceID(dialect string) string {
	return map[string]string{"A": "msg_1", "C": "chatcmpl-1", "R": "resp_1"}[dialect]
}

// prefix is what ids of answers of a dialect begin with.
func prefix(dialect string) string {
	return map[string]string{"A": "msg_", "C": "chatcmpl-", "R": "resp_"}[dialect]
}

// wire is the case's input as the upstream sends it. Lines that are neither events nor the last word stand as they are.
func (g *golden) wire(t *testing.T) string {
	t.Helper()
	var out []byte
	for _, line := range lines(expand(g.sections["in"])) {
		for _, ev := range g.came(t, line) {
			out = sse.AppendEvent(out, ev.Type, ev.Data)
		}
		if line[0] == ':' || strings.HasPrefix(line, `{"bare":`) {
			out = append(out, line...)
			out = append(out, '\n')
		}
	}
	return string(out)
}

// came makes events of an input's line.
func (g *golden) came(t *testing.T, line string) []adapters.Event {
	t.Helper()
	switch {
	case line == beginning:
		return starts(t, g.dir.from, "", sourceID(g.dir.from), created)
	case line == lastWord:
		return []adapters.Event{{Data: []byte(line)}}
	case line[0] != '{' || strings.HasPrefix(line, `{"bare":`):
		return nil
	}
	if g.dir.from == "C" {
		return []adapters.Event{{Data: chunk(t, line)}}
	}
	typ, _ := value(t, line).(object)["type"].(string)
	return []adapters.Event{{Type: typ, Data: []byte(line)}}
}

// expected are the case's output: objects, and the last word.
func (g *golden) expected(t *testing.T) []any {
	t.Helper()
	id, at := prefix(g.dir.to)+sourceID(g.dir.from), created
	if g.dir.from == "A" {
		at = `"` + anyTime + `"`
	}
	var out []any
	for _, line := range lines(expand(g.sections["out"])) {
		if line == lastWord {
			out = append(out, line)
			continue
		}
		if line == beginning && g.dir.to == "C" {
			line = firstChunk
		}
		if line == beginning {
			for _, ev := range starts(t, g.dir.to, g.dir.from, id, at) {
				out = append(out, value(t, string(ev.Data)))
			}
			continue
		}
		v := value(t, line)
		switch o, _ := v.(object); {
		case g.dir.to == "C":
			fillChunk(v, id, at)
			if strings.Contains(g.sections["request"], `"include_usage":true`) && o["usage"] == nil && o["error"] == nil {
				o["usage"] = nil // it is yet to come
			}
		case g.dir.to == "R" && o["response"] != nil:
			name, _ := o["type"].(string)
			status := strings.TrimPrefix(name, "response.")
			if status == "created" {
				status = "in_progress"
			}
			fillResponse(o["response"], g.dir.from, status)
		}
		out = append(out, v)
	}
	return out
}

// chunk is fillChunk for what an upstream sends, whose members stay as they are written.
func chunk(t *testing.T, line string) []byte {
	t.Helper()
	var o map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &o); err != nil {
		t.Fatal(err)
	}
	if o["object"] != nil || o["error"] != nil {
		return []byte(line)
	}
	choice := map[string]json.RawMessage{}
	for _, name := range []string{"index", "delta", "finish_reason", "logprobs"} {
		if member, ok := o[name]; ok {
			choice[name] = member
			delete(o, name)
		}
	}
	choices := []any{}
	if len(choice) > 0 {
		for name, member := range map[string]string{"index": "0", "delta": "{}", "finish_reason": "null"} {
			if choice[name] == nil {
				choice[name] = json.RawMessage(member)
			}
		}
		choices = append(choices, choice)
	}
	all := object{
		"id": sourceID("C"), "object": "chat.completion.chunk", "created": json.Number(created), "model": model,
		"choices": choices,
	}
	for name, member := range o {
		all[name] = member
	}
	return marshal(t, all)
}

func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// starts are the events that a stream begins with. What is converted from another dialect has no counts as yet, unless
// that is Anthropic's, which has them at the start.
func starts(t *testing.T, dialect, from, id, at string) []adapters.Event {
	t.Helper()
	switch dialect {
	case "A":
		usage := `{"input_tokens":10,"output_tokens":1}`
		if from != "" {
			usage = `{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}`
		}
		return []adapters.Event{{Type: "message_start", Data: []byte(`{"type":"message_start","message":{"id":"` + id +
			`","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,` +
			`"usage":` + usage + `}}`)}}
	case "C":
		v := value(t, firstChunk)
		fillChunk(v, id, at)
		return []adapters.Event{{Data: marshal(t, v)}}
	}
	var list []adapters.Event
	for _, name := range []string{"response.created", "response.in_progress"} {
		v := value(t, `{"type":"`+name+`","response":{"id":"`+id+`","created_at":`+at+`,"output":[]}}`)
		fillResponse(v.(object)["response"], from, "in_progress")
		list = append(list, adapters.Event{Type: name, Data: marshal(t, v)})
	}
	return list
}

// fillChunk makes a chunk of what a case says of it: members of a choice, the usage alone, or a whole chunk or error.
func fillChunk(v any, id, at string) {
	o, _ := v.(object)
	if o == nil || o["object"] != nil || o["error"] != nil {
		return
	}
	choice := object{"index": json.Number("0"), "delta": object{}, "finish_reason": nil}
	inside := false
	for _, name := range []string{"index", "delta", "finish_reason", "logprobs"} {
		if member, ok := o[name]; ok {
			inside = true
			choice[name] = member
			delete(o, name)
		}
	}
	choices := []any{}
	if inside {
		choices = append(choices, choice)
	}
	var time any = json.Number(at)
	if at[0] == '"' {
		time = anyTime
	}
	for name, member := range (object{
		"id": id, "object": "chat.completion.chunk", "created": time, "model": model, "choices": choices,
	}) {
		if _, said := o[name]; !said {
			o[name] = member
		}
	}
}

// fillResponse adds the members of a response object that a case does not say. from is empty for an upstream's own.
func fillResponse(v any, from, status string) {
	o, _ := v.(object)
	if o == nil {
		return
	}
	id, at := "resp_"+sourceID(from), any(json.Number(created))
	if from == "A" {
		at = anyTime
	}
	for name, member := range (object{
		"id": id, "object": "response", "created_at": at, "status": status, "error": nil, "incomplete_details": nil,
		"model": model, "usage": nil, "service_tier": nil,
	}) {
		if _, said := o[name]; !said {
			o[name] = member
		}
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSpace(b.String()))
}

// wireEvents reads events as the proxy does. What a reader gave is spoilt after its turn: it is valid until the next.
func wireEvents(src io.Reader) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		in := sse.NewReader(src, 0)
		for {
			ev, err := in.Next()
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			if err != nil {
				yield(adapters.Event{}, err)
				return
			}
			if ev.HasData && !yield(adapters.Event{Type: string(ev.Type), Data: ev.Data}, nil) {
				return
			}
			for i := range ev.Data {
				ev.Data[i] = '#'
			}
		}
	}
}
