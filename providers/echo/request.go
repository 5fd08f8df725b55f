package echo

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// check refuses what the real APIs refuse of what echo reads.
func check(call *ccproxy.Call, req *canonical.Request) error {
	bad := func(param, msg string) error {
		return &ccproxy.Error{Status: http.StatusBadRequest, Param: param, Message: param + ": " + msg}
	}
	said, limit := "messages", "max_tokens"
	if call.Format == adapters.OpenAIResponses {
		said, limit = "input", "max_output_tokens"
	}
	switch {
	case req.Model == "":
		return bad("model", "Field required")
	case !spoken(req):
		return bad(said, "at least one message is required")
	case call.Operation == ccproxy.OpCountTokens:
		return nil
	case req.MaxTokens == nil && call.Format == adapters.AnthropicMessages:
		return bad(limit, "Field required")
	case req.MaxTokens == nil:
		return nil
	}
	n, err := strconv.ParseInt(string(req.MaxTokens), 10, 64)
	if err != nil {
		return bad(limit, "must be an integer")
	}
	if n < 1 {
		return bad(limit, "must be at least 1")
	}
	return nil
}

// spoken tells whether anybody has said anything in the conversation itself.
func spoken(req *canonical.Request) bool {
	for i := range req.Messages {
		if !req.Messages[i].Top {
			return true
		}
	}
	return false
}

// turn is what a request says last, and what that orders.
type turn struct {
	text    string
	tool    *canonical.Tool // to be called
	input   string
	failure *ccproxy.Error
	midway  bool // fail in the middle
}

// readTurn takes the last message: text of a user, or the results of tools, which may be several messages.
func readTurn(req *canonical.Request) turn {
	var texts []string
	results := false
	for _, m := range slices.Backward(req.Messages) {
		if m.Role != canonical.RoleUser && m.Role != canonical.RoleTool {
			if results {
				break
			}
			continue // what a system says, or what the assistant is to go on with
		}
		if results && m.Role == canonical.RoleUser {
			break
		}
		texts = append(texts, textOf(m.Parts))
		if results = m.Role == canonical.RoleTool; !results {
			break
		}
	}
	slices.Reverse(texts)
	t := turn{text: strings.Join(texts, "\n")}
	if !results {
		t.readFailure()
	}
	t.readTool(req, !results)
	return t
}

// textOf joins the texts of a message and of the results in it.
func textOf(parts []canonical.Part) string {
	var texts []string
	for i := range parts {
		p := &parts[i]
		text := ""
		switch {
		case p.Kind == canonical.PartText:
			text = p.Text.String()
		case p.Kind == canonical.PartToolResult && p.Result != nil:
			text = textOf(p.Result.Parts)
		}
		if text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}

// readFailure finds the order to fail.
func (t *turn) readFailure() {
	rest, found := strings.CutPrefix(t.text, "fail with ")
	if !found {
		if rest, found = strings.CutPrefix(t.text, "break with "); !found {
			return
		}
		t.midway = true
	}
	word, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(strings.TrimSpace(word))
	if err != nil || status < 400 || status > 599 {
		return
	}
	t.failure = &ccproxy.Error{Status: status, Message: "echo was told to fail"}
}

// readTool finds the order to call a tool: in the text, or else in what the request demands.
func (t *turn) readTool(req *canonical.Request, obey bool) {
	mode := ""
	if req.Choice != nil {
		mode = req.Choice.Mode
	}
	name, args := "", ""
	if _, rest, found := strings.Cut(t.text, "use tool "); obey && found {
		name, args, _ = strings.Cut(rest, " ")
	}
	if mode == "tool" {
		name = req.Choice.Name.String()
	}
	if mode == "none" {
		return
	}
	if t.tool = toolOf(req, name, mode == "any"); t.tool == nil {
		return
	}
	_, given, ok := strings.Cut(args, "with ")
	t.input = "{}"
	if t.tool.Custom || ok && strings.HasPrefix(given, "{") && json.Valid([]byte(given)) {
		t.input = given
	}
}

// toolOf is the client's tool of a name, or any of them if one has to be called. The vendor's own are not for echo.
func toolOf(req *canonical.Request, name string, demanded bool) *canonical.Tool {
	var first *canonical.Tool
	for i := range req.Tools {
		switch tool := &req.Tools[i]; {
		case tool.Raw != nil:
		case tool.Name.String() == name:
			return tool
		case first == nil && demanded:
			first = tool
		}
	}
	return first
}

// inputTokens estimates the input at four bytes a token.
func inputTokens(req *canonical.Request) int64 {
	n := 0
	for i := range req.Messages {
		n += size(req.Messages[i].Parts)
	}
	for i := range req.Tools {
		t := &req.Tools[i]
		n += len(t.Name) + len(t.Description) + len(t.Schema) + len(t.Raw)
	}
	return estimate(n)
}

func size(parts []canonical.Part) int {
	n := 0
	for i := range parts {
		p := &parts[i]
		n += max(len(p.Text)-len(`""`), 0)
		if p.Result != nil {
			n += size(p.Result.Parts)
		}
		if p.Call != nil {
			n += len(p.Call.Args.Object) + len(p.Call.Args.String)
		}
	}
	return n
}

func estimate(bytes int) int64 { return int64(bytes+3) / 4 }
