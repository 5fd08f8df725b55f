package providertest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode"
)

// messagesRequest is what the fake reads of a request; everything else passes unseen.
type messagesRequest struct {
	Model     string `json:"model"`
	MaxTokens *int   `json:"max_tokens"`
	Stream    bool   `json:"stream"`
	System    words  `json:"system"`
	Messages  []struct {
		Content words `json:"content"`
	} `json:"messages"`
	Tools []struct {
		Name string `json:"name"`
	} `json:"tools"`

	err error // the body is no such JSON
}

// decodeRequest leaves r's body to be read again: replies call replies.
func decodeRequest(r *http.Request) messagesRequest {
	var req messagesRequest
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err == nil {
		err = json.Unmarshal(body, &req)
	}
	req.err = err
	return req
}

// complaint is what the service would say against the request, empty if nothing.
func (req messagesRequest) complaint() string {
	switch {
	case req.err != nil:
		return "The request body is not valid JSON: " + req.err.Error()
	case req.Model == "":
		return "model: Field required"
	case len(req.Messages) == 0:
		return "messages: at least one message is required"
	}
	return ""
}

// tokens counts the words of the conversation, so that tests can tell the number in advance.
func (req messagesRequest) tokens() int {
	all := []string{req.System.text}
	for _, m := range req.Messages {
		all = append(all, m.Content.text, m.Content.result)
	}
	return countTokens(strings.Join(all, " "))
}

// reply is the small model: it calls the tool it is told to use, repeats what a tool answered and
// greets otherwise.
func (req messagesRequest) reply() Reply {
	last := req.Messages[len(req.Messages)-1].Content
	if name, ok := req.wantedTool(last.text); ok {
		input, _ := json.Marshal(map[string]string{"request": last.text}) // strings always marshal
		return ToolUse(name, string(input))
	}
	if last.result != "" {
		return Message("The tool answered: " + last.result)
	}
	return Message(DefaultText)
}

// wantedTool finds "use tool NAME" in text if the request offers such a tool.
func (req messagesRequest) wantedTool(text string) (string, bool) {
	_, rest, _ := strings.Cut(text, "use tool ")
	if end := strings.IndexFunc(rest, notInName); end >= 0 {
		rest = rest[:end]
	}
	for _, tool := range req.Tools {
		if tool.Name == rest && rest != "" {
			return rest, true
		}
	}
	return "", false
}

func notInName(r rune) bool {
	return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// words is the text of a content, which is a string or a list of blocks.
type words struct {
	text   string
	result string // text of tool results
}

// UnmarshalJSON never fails for content of another shape: the fake has nothing to say about it.
func (c *words) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &c.text) == nil {
		return nil
	}
	var blocks []struct {
		Type    string          `json:"type"`
		Text    string          `json:"text"`
		Content json.RawMessage `json:"content"`
	}
	_ = json.Unmarshal(data, &blocks) // what has no blocks has no words
	var text, result []string
	for _, b := range blocks {
		if b.Type == "text" {
			text = append(text, b.Text)
		}
		var nested words
		if b.Type == "tool_result" && nested.UnmarshalJSON(b.Content) == nil {
			result = append(result, nested.text)
		}
	}
	c.text, c.result = strings.Join(text, " "), strings.Join(result, " ")
	return nil
}
