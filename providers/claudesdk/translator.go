package claudesdk

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// errLeft tells that the client takes no more events.
var errLeft = errors.New("the client has left")

// translator makes one message of the Messages format of what a CLI says in one turn, which may be several messages
// of the model with uses of tools between them.
type translator struct {
	mode    string
	system  bool // shows system messages
	yield   func(adapters.Event, error) bool
	text    *textHash // of the answer
	started bool
	next    int           // index of the client's next block
	open    int           // the client's index of the block that is open, or -1
	own     map[int64]int // the model's indexes of blocks of this message, to the client's
	tools   map[int64]*toolUse
	model   string            // id of the model's message that is being streamed
	stop    json.RawMessage   // the last stop_reason
	waiting []json.RawMessage // system messages from before the start
	running int               // tools that have not come to a result
	worked  bool              // the CLI has used a tool, whether the client sees that or not
}

// toolUse is a use of a tool whose input comes in parts.
type toolUse struct {
	block json.RawMessage
	input []byte
}

func newTranslator(c *Config, yield func(adapters.Event, error) bool) *translator {
	return &translator{
		mode: c.MessageMode, system: c.IncludeSystemMessages && c.MessageMode != modeIgnore, yield: yield,
		text: newTextHash(), open: -1,
	}
}

// emit sends an event to the client.
func (t *translator) emit(kind string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // texts go on as the model has written them
	if err := enc.Encode(v); err != nil {
		return err
	}
	if !t.yield(adapters.Event{Type: kind, Data: bytes.TrimSuffix(b.Bytes(), []byte("\n"))}, nil) {
		return errLeft
	}
	return nil
}

// take translates a message that is neither a result nor a control request.
func (t *translator) take(m *message, line json.RawMessage) error {
	switch {
	case m.ParentToolUseID != "" || m.IsReplay: // of a subagent, whose tool has a result in the end
		return nil
	case m.Type == typeStreamEvent:
		return t.event(m.Event)
	case m.Type == typeAssistant:
		return t.whole(m.Message)
	case m.Type == typeUser:
		return t.results(m.Message)
	case m.Type == typeSystem && t.system:
		if t.started {
			return t.showSystem(line)
		}
		if len(t.waiting) < maxWaiting {
			t.waiting = append(t.waiting, line)
		}
	}
	return nil
}

const maxWaiting = 16

// event translates an event of the model's stream.
func (t *translator) event(raw json.RawMessage) error {
	var ev struct {
		Type    string          `json:"type"`
		Index   int64           `json:"index"`
		Message json.RawMessage `json:"message"`
		Block   json.RawMessage `json:"content_block"`
		Delta   json.RawMessage `json:"delta"`
	}
	if err := json.Unmarshal(raw, &ev); err != nil {
		return nil //nolint:nilerr // what is no event is passed over, as unknown types are
	}
	switch ev.Type {
	case "message_start":
		return t.start(ev.Message)
	case "content_block_start":
		return t.blockStart(ev.Index, ev.Block)
	case "content_block_delta":
		return t.delta(ev.Index, ev.Delta)
	case "content_block_stop":
		return t.blockStop(ev.Index)
	case "message_delta":
		if stop, ok := rawjson.Find(ev.Delta, "stop_reason"); ok {
			t.stop = bytes.Clone(stop)
		}
	}
	return nil
}

// start begins a message of the model, the first of which begins the client's.
func (t *translator) start(msg json.RawMessage) error {
	id, _ := rawjson.Find(msg, "id")
	t.model, _ = rawjson.String(id)
	t.own, t.tools, t.running = make(map[int64]int), make(map[int64]*toolUse), 0
	if err := t.closeBlock(); err != nil { // the model was asked again in the middle of an answer
		return err
	}
	return t.begin(msg)
}

func (t *translator) begin(msg json.RawMessage) error {
	if t.started {
		return nil
	}
	t.started = true
	if err := t.emit("message_start", map[string]any{"type": "message_start", "message": msg}); err != nil {
		return err
	}
	for _, line := range t.waiting {
		if err := t.showSystem(line); err != nil {
			return err
		}
	}
	t.waiting = nil
	return nil
}

func (t *translator) blockStart(index int64, block json.RawMessage) error {
	if !t.started || len(t.own)+len(t.tools) >= maxBlocks {
		return nil
	}
	if !spoken(block) {
		t.worked = true
		t.tools[index] = &toolUse{block: bytes.Clone(block)}
		return nil
	}
	if err := t.openBlock(block); err != nil {
		return err
	}
	t.own[index] = t.open
	return nil
}

// maxBlocks bounds the blocks of one message of the model.
const maxBlocks = 4096

// spoken tells the blocks that are the model's answer from those that are work of the CLI.
func spoken(block json.RawMessage) bool {
	switch typeOf(block) {
	case "text", "thinking", "redacted_thinking":
		return true
	default:
		return false
	}
}

func (t *translator) delta(index int64, delta json.RawMessage) error {
	if use := t.tools[index]; use != nil {
		part, _ := rawjson.Find(delta, "partial_json")
		use.input, _ = rawjson.AppendText(use.input, part)
		return nil
	}
	at, ok := t.own[index]
	if !ok || at != t.open {
		return nil
	}
	if text, ok := textOf(delta); ok {
		t.text.write(text)
	}
	return t.emit("content_block_delta", blockEvent{Type: "content_block_delta", Index: at, Delta: delta})
}

func (t *translator) blockStop(index int64) error {
	if use := t.tools[index]; use != nil {
		delete(t.tools, index)
		return t.showToolUse(use)
	}
	if at, ok := t.own[index]; !ok || at != t.open {
		return nil
	}
	return t.closeBlock()
}

// whole translates a message that was not streamed. Of one that was it repeats a block.
func (t *translator) whole(msg json.RawMessage) error {
	id, _ := rawjson.Find(msg, "id")
	if name, _ := rawjson.String(id); name == t.model {
		return nil
	}
	model, _ := rawjson.Find(msg, "model")
	if name, _ := rawjson.String(model); name == "<synthetic>" { // the CLI's own text, such as that of an error
		return nil
	}
	if err := t.begin(opening(msg)); err != nil {
		return err
	}
	content, _ := rawjson.Find(msg, "content")
	for block := range rawjson.Elements(content) {
		if !spoken(block) {
			if err := t.showToolUse(&toolUse{block: block}); err != nil {
				return err
			}
			continue
		}
		if err := t.show(block); err != nil {
			return err
		}
	}
	return nil
}

// opening is a message as its stream would begin.
func opening(msg json.RawMessage) json.RawMessage {
	var doc rawjson.Doc
	if doc.Scan(msg, rawjson.Options{}) != nil {
		return msg
	}
	return doc.Set("content", []byte("[]"))
}

// blockEvent is an event about a block.
type blockEvent struct {
	Type  string          `json:"type"`
	Index int             `json:"index"`
	Block json.RawMessage `json:"content_block,omitempty"`
	Delta json.RawMessage `json:"delta,omitempty"`
}

func (t *translator) openBlock(block json.RawMessage) error {
	if err := t.closeBlock(); err != nil {
		return err
	}
	if text, ok := textOf(block); ok {
		t.text.write(text)
	}
	t.open, t.next = t.next, t.next+1
	return t.emit("content_block_start", blockEvent{Type: "content_block_start", Index: t.open, Block: block})
}

func (t *translator) closeBlock() error {
	if t.open < 0 {
		return nil
	}
	at := t.open
	t.open = -1
	return t.emit("content_block_stop", blockEvent{Type: "content_block_stop", Index: at})
}

// show shows a block that is there as a whole.
func (t *translator) show(block json.RawMessage) error {
	text, ok := textOf(block)
	if !ok || typeOf(block) != "text" {
		if err := t.openBlock(block); err != nil {
			return err
		}
		return t.closeBlock()
	}
	if err := t.openBlock(textBlock("")); err != nil {
		return err
	}
	t.text.write(text)
	delta := rawjson.AppendString([]byte(`{"type":"text_delta","text":`), text)
	err := t.emit("content_block_delta", blockEvent{
		Type: "content_block_delta", Index: t.open, Delta: append(delta, '}'),
	})
	if err != nil {
		return err
	}
	return t.closeBlock()
}
