package claudesdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// request is what is read of a body in the Messages format.
type request struct {
	System       json.RawMessage `json:"system"`
	Messages     []wireMessage   `json:"messages"`
	MaxTokens    json.RawMessage `json:"max_tokens"`
	Thinking     thinking        `json:"thinking"`
	OutputConfig outputConfig    `json:"output_config"`
	Options      json.RawMessage `json:"sdk_options"`
}

type wireMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

type thinking struct {
	Type         string `json:"type"`
	BudgetTokens int64  `json:"budget_tokens"`
}

type outputConfig struct {
	Effort string          `json:"effort"`
	Format json.RawMessage `json:"format"`
}

// conversation is a request in the form in which a CLI takes it.
type conversation struct {
	system   []string
	messages []chatMessage // the user's and the assistant's in turn; the last is the user's
	args     []string      // of the CLI
	env      []string      // of the CLI
	options  json.RawMessage
	lost     []canonical.Loss

	before digest // of all but the last message
	after  digest // of all
}

// readRequest makes a conversation of a body.
func readRequest(body []byte) (*conversation, error) {
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, invalid("body", "is not a request of the Messages format: %s", kindOf(err))
	}
	c := &conversation{options: req.Options}
	if err := c.readSystem(req.System); err != nil {
		return nil, err
	}
	for i, m := range req.Messages {
		if err := c.readMessage(fmt.Sprintf("messages[%d]", i), m); err != nil {
			return nil, err
		}
	}
	if len(c.messages) == 0 || c.messages[0].Role != typeUser {
		return nil, invalid("messages", "the first message must be the user's")
	}
	if c.messages[len(c.messages)-1].Role != typeUser {
		return nil, invalid("messages", "the last must be the user's: the CLI cannot go on with the assistant's")
	}
	if err := c.readParameters(&req); err != nil {
		return nil, err
	}
	c.loseMembers(body, &req)
	last := len(c.messages) - 1
	for i := range c.messages {
		if i == last {
			c.before = c.after
		}
		c.after = c.after.with(&c.messages[i])
	}
	return c, nil
}

// kindOf says what is wrong with JSON without its values.
func kindOf(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return e.Field + " must not be " + e.Value
	}
	return "malformed"
}

func (c *conversation) readSystem(raw json.RawMessage) error {
	blocks, err := blocksOf("system", raw)
	if err != nil {
		return err
	}
	for i, block := range blocks {
		text, ok := textOf(block)
		if !ok {
			return invalid(fmt.Sprintf("system[%d]", i), "must be a text")
		}
		if text = canonical.WithoutBilling(canonical.NewToken(text)).String(); text != "" {
			c.system = append(c.system, text)
		}
	}
	return nil
}

// readMessage adds a message. What the system says between messages joins the user's.
func (c *conversation) readMessage(path string, m wireMessage) error {
	blocks, err := blocksOf(path+".content", m.Content)
	if err != nil {
		return err
	}
	role, read := typeUser, c.userBlock
	switch m.Role {
	case typeUser:
	case typeAssistant:
		role, read = typeAssistant, c.assistantBlock
	case typeSystem:
		read = systemBlock
	default:
		return invalid(path+".role", "must be user, assistant or system")
	}
	content := make([]json.RawMessage, 0, len(blocks))
	for i, block := range blocks {
		kept, err := read(fmt.Sprintf("%s.content[%d]", path, i), block)
		if err != nil {
			return err
		}
		if kept != nil {
			content = append(content, kept)
		}
	}
	if len(content) == 0 {
		return nil
	}
	if n := len(c.messages); n > 0 && c.messages[n-1].Role == role {
		c.messages[n-1].Content = append(c.messages[n-1].Content, content...)
		return nil
	}
	c.messages = append(c.messages, chatMessage{Role: role, Content: content})
	return nil
}

// userBlock is a block of the user's as the CLI takes it; nil for one that it does not take.
func (c *conversation) userBlock(path string, block json.RawMessage) (json.RawMessage, error) {
	switch kind := typeOf(block); kind {
	case "text":
		text, ok := textOf(block)
		if !ok {
			return nil, invalid(path+".text", "must be a string")
		}
		return plainText(text), nil
	case "image", "document", "tool_result":
		return withoutMarks(block), nil
	case "":
		return nil, invalid(path+".type", "must be a string")
	default:
		c.lose(path, "the CLI takes no "+kind)
		return nil, nil
	}
}

// assistantBlock is a block of the assistant's. Thinking stays out: a model needs none of earlier turns, and what
// another one has signed is refused. So do the blocks that the plugin itself has made.
func (c *conversation) assistantBlock(path string, block json.RawMessage) (json.RawMessage, error) {
	switch kind := typeOf(block); kind {
	case "text":
		text, ok := textOf(block)
		if !ok {
			return nil, invalid(path+".text", "must be a string")
		}
		if strings.TrimSpace(text) == "" {
			return nil, nil // APIs refuse empty texts
		}
		return textBlock(text), nil
	case "tool_use":
		return withoutMarks(block), nil
	case "thinking", "redacted_thinking", blockToolUse, blockToolResult, blockSystem, blockResult:
		return nil, nil
	case "":
		return nil, invalid(path+".type", "must be a string")
	default:
		c.lose(path, "the CLI takes no "+kind)
		return nil, nil
	}
}

// systemBlock marks what a system says within a conversation as the CLI does it.
func systemBlock(path string, block json.RawMessage) (json.RawMessage, error) {
	text, ok := textOf(block)
	if !ok {
		return nil, invalid(path, "must be a text")
	}
	return textBlock("<system-reminder>\n" + text + "\n</system-reminder>"), nil
}

// readParameters turns what the CLI has arguments or variables for into these.
func (c *conversation) readParameters(req *request) error {
	switch req.Thinking.Type {
	case "enabled":
		c.args = append(c.args, "--max-thinking-tokens="+strconv.FormatInt(max(req.Thinking.BudgetTokens, 1), 10))
	case "adaptive", "disabled":
		c.args = append(c.args, "--thinking="+req.Thinking.Type)
	case "":
	default:
		return invalid("thinking.type", "must be enabled, adaptive or disabled")
	}
	if effort := req.OutputConfig.Effort; effort != "" {
		if !slices.Contains([]string{"low", "medium", "high", "xhigh", "max"}, effort) {
			return invalid("output_config.effort", "must be low, medium, high, xhigh or max")
		}
		c.args = append(c.args, "--effort="+effort)
	}
	if len(req.MaxTokens) > 0 && string(req.MaxTokens) != "null" {
		n, ok := rawjson.Int(req.MaxTokens)
		if !ok || n < 1 {
			return invalid("max_tokens", "must be a whole number of at least 1")
		}
		c.env = append(c.env, "CLAUDE_CODE_MAX_OUTPUT_TOKENS="+strconv.FormatInt(n, 10))
	}
	return nil
}

// loseMembers tells of what the CLI has no way to be told.
func (c *conversation) loseMembers(body []byte, req *request) {
	for _, name := range [...]string{
		"mcp_servers", "stop_sequences", "temperature", "tool_choice", "tools", "top_k", "top_p",
	} {
		if raw, ok := rawjson.Find(body, name); ok && string(raw) != "null" && string(raw) != "[]" {
			c.lose(name, "the CLI decides it by itself")
		}
	}
	if len(req.OutputConfig.Format) > 0 && string(req.OutputConfig.Format) != "null" {
		c.lose("output_config.format", "the CLI decides it by itself")
	}
}

func (c *conversation) lose(path, reason string) {
	c.lost = append(c.lost, canonical.Loss{Path: path, Reason: reason})
}

// blocksOf are the blocks of a content, which may be a string.
func blocksOf(path string, raw json.RawMessage) ([]json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if text, ok := rawjson.String(raw); ok {
		return []json.RawMessage{textBlock(text)}, nil
	}
	var blocks []json.RawMessage
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return nil, invalid(path, "must be a string or a list of blocks")
	}
	return blocks, nil
}

func typeOf(block json.RawMessage) string {
	raw, _ := rawjson.Find(block, "type")
	kind, _ := rawjson.String(raw)
	return kind
}

func textOf(block json.RawMessage) (string, bool) {
	raw, _ := rawjson.Find(block, "text")
	return rawjson.String(raw)
}

func textBlock(text string) json.RawMessage {
	return append(rawjson.AppendString([]byte(`{"type":"text","text":`), text), '}')
}

// plainText keeps the CLI from taking what a user says for one of its commands, such as /clear.
func plainText(text string) json.RawMessage {
	if strings.HasPrefix(text, "/") {
		text = " " + text
	}
	return textBlock(text)
}

// withoutMarks leaves out a block's cache_control: the CLI sets its own, and APIs take few.
func withoutMarks(block json.RawMessage) json.RawMessage {
	if !bytes.Contains(block, []byte("cache_control")) {
		return block
	}
	var doc rawjson.Doc
	if doc.Scan(block, rawjson.Options{}) != nil {
		return block
	}
	block = doc.Delete("cache_control")
	content, ok := rawjson.Find(block, "content")
	if !ok || len(content) == 0 || content[0] != '[' || doc.Scan(block, rawjson.Options{}) != nil {
		return block
	}
	list := []byte{'['}
	for inner := range rawjson.Elements(content) {
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, withoutMarks(inner)...)
	}
	return doc.Set("content", append(list, ']'))
}
