package claudesdk

import (
	"bytes"
	"encoding/json"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// The types of blocks that the mode forward has, and the tags of the mode formatted.
const (
	blockToolUse    = "tool_use_sdk"
	blockToolResult = "tool_result_sdk"
	blockSystem     = "system_message"
	blockResult     = "result_message"

	blockSource = "claude_agent_sdk"
)

// toolUseBlock is a use of one of the CLI's tools.
type toolUseBlock struct {
	Type   string          `json:"type,omitempty"`
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Input  json.RawMessage `json:"input"`
	Source string          `json:"source,omitempty"`
}

// toolResultBlock is what came of it.
type toolResultBlock struct {
	Type      string          `json:"type,omitempty"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	IsError   bool            `json:"is_error"`
	Source    string          `json:"source,omitempty"`
}

// systemMessageBlock is a message of the CLI about itself.
type systemMessageBlock struct {
	Type    string          `json:"type,omitempty"`
	Subtype string          `json:"subtype"`
	Data    json.RawMessage `json:"data"`
	Source  string          `json:"source,omitempty"`
}

// resultBlock is how a turn of the CLI ended.
type resultBlock struct {
	Type         string          `json:"type"`
	Subtype      string          `json:"subtype"`
	SessionID    string          `json:"session_id"`
	NumTurns     int             `json:"num_turns"`
	DurationMS   int64           `json:"duration_ms"`
	TotalCostUSD float64         `json:"total_cost_usd"`
	Usage        json.RawMessage `json:"usage,omitempty"`
	Source       string          `json:"source"`
}

// showToolUse shows a use of a tool when its input is whole.
func (t *translator) showToolUse(use *toolUse) error {
	t.running++
	t.worked = true
	if t.mode == modeIgnore {
		return nil
	}
	var block toolUseBlock
	if err := json.Unmarshal(use.block, &block); err != nil {
		return nil //nolint:nilerr // what is no block is passed over
	}
	if json.Valid(use.input) {
		block.Input = use.input
	}
	if len(block.Input) == 0 {
		block.Input = json.RawMessage("{}")
	}
	if t.mode == modeForward {
		block.Type, block.Source = blockToolUse, blockSource
		return t.showValue(&block)
	}
	block.Type = ""
	return t.showTagged(blockToolUse, &block)
}

// results shows the results of tools, which the CLI gives the model as the user's.
func (t *translator) results(msg json.RawMessage) error {
	content, _ := rawjson.Find(msg, "content")
	for raw := range rawjson.Elements(content) {
		if typeOf(raw) != "tool_result" {
			continue
		}
		t.running = max(t.running-1, 0)
		var block toolResultBlock
		if t.mode == modeIgnore || !t.started || json.Unmarshal(raw, &block) != nil {
			continue
		}
		if len(block.Content) == 0 {
			block.Content = json.RawMessage(`""`)
		}
		var err error
		if t.mode == modeForward {
			block.Type, block.Source = blockToolResult, blockSource
			err = t.showValue(&block)
		} else {
			block.Type = ""
			err = t.showTagged(blockToolResult, &block)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// showSystem shows a system message.
func (t *translator) showSystem(line json.RawMessage) error {
	subtype, _ := rawjson.Find(line, "subtype")
	block := systemMessageBlock{Data: line}
	block.Subtype, _ = rawjson.String(subtype)
	if t.mode == modeForward {
		block.Type, block.Source = blockSystem, blockSource
		return t.showValue(&block)
	}
	return t.showTagged(blockSystem, &block)
}

// showValue shows a block of a type of the plugin's own.
func (t *translator) showValue(v any) error {
	block, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.show(block)
}

// showTagged shows a value as text. JSON's escapes keep it from closing the tag itself.
func (t *translator) showTagged(tag string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("\n<" + tag + ">\n")
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return err
	}
	b.WriteString("\n</" + tag + ">\n")
	return t.show(textBlock(b.String()))
}
