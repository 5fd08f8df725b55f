package openai

import (
	"strconv"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Wire types that parts keep where several shapes mean the same.
const (
	typeFunctionCall = "function_call" // a call of the time before tools
	typeFunction     = "function"      // its result
	typeRefusal      = "refusal"       // a refusal in a list of parts, and not in a member of its own
	typeAudio        = "audio"         // a model's sound, or the reference to one
)

// messageDecoder takes messages in their order; lastCall is the id made for a call of the time before tools, which
// had no ids: the result that follows belongs to it.
type messageDecoder struct {
	lastCall canonical.Token
	answer   bool   // the message is an upstream's answer
	read     int    // how long the last message was
	content  string // the path of the message's content; empty where nobody has made it

	lists       partLists
	words, late []canonical.Part // of the message at hand; what comes of them is copied
}

// contentMember ends the path of a message's content.
const contentMember = ".content"

func decodeChatMessages(r *canonical.Request, value []byte) error {
	var d messageDecoder
	i := 0
	for w := rawjson.WalkArray(value); w.Next(); w.Skip(d.read) {
		raw := w.Tail()
		if r.Messages == nil {
			r.Messages = make([]canonical.Message, 0, expected(value))
		}
		d.content = "messages[" + strconv.Itoa(i) + "]" + contentMember
		path := d.content[:len(d.content)-len(contentMember)]
		r.Messages = append(r.Messages, canonical.Message{Path: path})
		if err := d.message(&r.Messages[len(r.Messages)-1], raw, i); err != nil {
			return err
		}
		i++
	}
	return nil
}

// message takes the message at the start of raw.
func (d *messageDecoder) message(m *canonical.Message, raw []byte, i int) error {
	if !isObject(raw) {
		return invalid(m.Path, "must be an object")
	}
	role := lenientString(find(raw, "role"))
	switch string(nameOf(role)) {
	case "system":
		m.Role = canonical.RoleSystem
	case "developer":
		m.Role = canonical.RoleDeveloper
	case "user":
		m.Role = canonical.RoleUser
	case "assistant":
		m.Role = canonical.RoleAssistant
		return d.assistant(m, raw, i)
	case "tool":
		m.Role = canonical.RoleTool
		return d.result(m, raw, "")
	case "function":
		m.Role = canonical.RoleTool
		return d.result(m, raw, typeFunction)
	default:
		return invalid(m.Path+".role", "must be system, developer, user, assistant, tool or function")
	}
	m.Parts = d.words[:0]
	w := rawjson.WalkObject(raw)
	for w.Next() {
		if err := d.plainMember(m, nameOf(w.Key), w.Value()); err != nil {
			return err
		}
	}
	d.read = w.Len()
	d.settle(m, nil)
	return nil
}

// settle gives a message the parts that were gathered, and those that come after them.
func (d *messageDecoder) settle(m *canonical.Message, late []canonical.Part) {
	d.words, d.late = m.Parts[:0], late[:0]
	m.Parts = d.lists.of(m.Parts, late)
}

// contentPath is where a message's content stands.
func (d *messageDecoder) contentPath(m *canonical.Message) string {
	if d.content != "" {
		return d.content
	}
	return m.Path + contentMember
}

// plainMember takes what messages of all roles have.
func (d *messageDecoder) plainMember(m *canonical.Message, name, v []byte) (err error) {
	switch string(name) {
	case "role":
	case "name":
		m.Name, err = stringAt(v, m.Path+".name")
	case "content":
		m.Plain = !isArray(v)
		m.Parts, err = decodeContent(m.Parts, v, d.contentPath(m))
	default:
		keep(&m.Extra, name, v)
	}
	return err
}

// assistant takes an assistant's message: thinking, words and calls, in this order whatever that of the members.
func (d *messageDecoder) assistant(m *canonical.Message, raw []byte, i int) error {
	var err error
	late := d.late[:0] // what comes after the words
	m.Parts = d.words[:0]
	thought := false
	w := rawjson.WalkObject(raw)
	for w.Next() {
		name, v := nameOf(w.Key), w.Value()
		switch string(name) {
		case "reasoning_content", "reasoning", "reasoning_details":
			thought = true
		case "refusal":
			refusal, err := stringAt(v, m.Path+".refusal")
			if err != nil {
				return err
			}
			if refusal != nil {
				late = append(late, canonical.Part{
					Kind: canonical.PartRefusal, Text: refusal, Path: m.Path + ".refusal",
				})
			}
		case "tool_calls":
			late, err = decodeToolCalls(late, v, m.Path)
		case "function_call":
			late, err = d.functionCall(late, v, m.Path+".function_call", i)
		case "audio":
			if !isNull(v) {
				late = append(late, opaque(typeAudio, v, m.Path+".audio"))
			}
		default:
			err = d.plainMember(m, name, v)
		}
		if err != nil {
			return err
		}
	}
	d.read = w.Len()
	d.settle(m, late)
	if !thought {
		return nil
	}
	parts, err := decodeReasoning(nil, raw, m.Path, d.answer)
	m.Parts = append(parts, m.Parts...)
	return err
}

func opaque(typ string, raw []byte, path string) canonical.Part {
	return canonical.Part{Kind: canonical.PartOpaque, Type: typ, Raw: raw, Path: path}
}

// functionCall gives the call an id, which the result is given too.
func (d *messageDecoder) functionCall(
	parts []canonical.Part, v []byte, path string, i int,
) ([]canonical.Part, error) {
	if isNull(v) {
		return parts, nil
	}
	call := &canonical.ToolCall{ID: canonical.NewToken("call_function_" + strconv.Itoa(i))}
	if err := decodeCalled(call, v, path); err != nil {
		return nil, err
	}
	d.lastCall = call.ID
	part := canonical.Part{Kind: canonical.PartToolCall, Type: typeFunctionCall, Call: call, Path: path}
	return append(parts, part), nil
}

// result takes what a tool, or a function of the time before tools, answered.
func (d *messageDecoder) result(m *canonical.Message, raw []byte, typ string) error {
	res := &canonical.ToolResult{}
	w := rawjson.WalkObject(raw)
	for w.Next() {
		name, v := nameOf(w.Key), w.Value()
		var err error
		switch {
		case string(name) == "content":
			res.Plain = !isArray(v)
			res.Parts, err = decodeContent(d.words[:0], v, d.contentPath(m))
			d.words, res.Parts = res.Parts[:0], d.lists.of(res.Parts, nil)
		case string(name) == "tool_call_id":
			res.CallID, err = memberString(v, m.Path, "tool_call_id")
		default:
			err = d.plainMember(m, name, v)
		}
		if err != nil {
			return err
		}
	}
	d.read = w.Len()
	if typ == typeFunction {
		res.CallID = d.lastCall
		if res.CallID == nil {
			return invalid(m.Path, "must follow a function_call")
		}
	}
	if res.CallID == nil {
		return invalid(m.Path+".tool_call_id", "must be a string")
	}
	m.Parts = d.lists.of(append(d.words[:0], canonical.Part{
		Kind: canonical.PartToolResult, Type: typ, Result: res, Path: m.Path,
	}), nil)
	return nil
}

// decodeToolCalls takes the calls of the message at path.
func decodeToolCalls(parts []canonical.Part, v []byte, path string) ([]canonical.Part, error) {
	if isNull(v) {
		return parts, nil
	}
	if !isArray(v) {
		return nil, invalid(path+".tool_calls", "must be an array")
	}
	i := 0
	for raw := range rawjson.Elements(v) {
		part, err := decodeToolCall(raw, path+".tool_calls["+strconv.Itoa(i)+"]")
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		i++
	}
	return parts, nil
}

func decodeToolCall(raw []byte, path string) (canonical.Part, error) {
	call := &canonical.ToolCall{}
	part := canonical.Part{Kind: canonical.PartToolCall, Call: call, Path: path}
	if !isObject(raw) {
		return part, invalid(path, "must be an object")
	}
	var err error
	named := false
	for key, v := range rawjson.Members(raw) {
		name := nameOf(key)
		switch string(name) {
		case "id":
			call.ID, err = memberString(v, path, "id")
		case "type", "index":
		case "function":
			named, err = true, decodeCalled(call, v, path+".function")
		case "custom":
			call.Custom, named = true, true
			err = decodeCalled(call, v, path+".custom")
		default:
			keep(&call.Extra, name, v)
		}
		if err != nil {
			return part, err
		}
	}
	if !named {
		return part, invalid(path+".function", "must be an object")
	}
	return part, nil
}

// decodeCalled takes name and arguments. Servers that send the arguments as an object are understood.
func decodeCalled(call *canonical.ToolCall, v []byte, path string) error {
	if !isObject(v) {
		return invalid(path, "must be an object")
	}
	for key, member := range rawjson.Members(v) {
		name := nameOf(key)
		switch string(name) {
		case "name":
			call.Name = lenientString(member)
		case "arguments", "input":
			switch {
			case isString(member):
				call.Args.String = canonical.Token(member)
			case !isNull(member):
				call.Args.Object = member
			}
		default:
			keep(&call.Extra, append([]byte(lastOf(path)+"."), name...), member)
		}
	}
	if call.Name.Empty() {
		return invalid(path+".name", "must be a string")
	}
	return nil
}

// lastOf gives the last name of a path.
func lastOf(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' {
			return path[i+1:]
		}
	}
	return path
}
