package openai

import (
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// emptyArguments are those of a call without any.
const emptyArguments = `"{}"`

// argumentsToken gives a call's arguments as the string that OpenAI's dialects want. A function's are never empty.
func argumentsToken(c *canonical.ToolCall) canonical.Token {
	a := c.Args
	switch {
	case isString(a.Object):
		return canonical.Token(a.Object)
	case len(a.Object) > 0:
		return rawjson.AppendString(nil, string(a.Object))
	case a.String.Empty() && c.Custom:
		return canonical.Token(`""`)
	case a.String.Empty():
		return canonical.Token(emptyArguments)
	default:
		return a.String
	}
}

// customInput gives the text of a free-form tool's call that was wrapped in an object, as dialects without such
// tools do it. What is no such object is the text itself.
func customInput(c *canonical.ToolCall) canonical.Token {
	if c.Custom {
		return argumentsToken(c)
	}
	object := []byte(c.Args.Object)
	if object == nil {
		object = []byte(c.Args.String.String())
	}
	if input := find(object, canonical.CustomInput); isString(input) {
		return canonical.Token(input)
	}
	return argumentsToken(c)
}

// wrappedInput gives the arguments of a function that stands for a free-form tool.
func wrappedInput(input canonical.Token) canonical.Token {
	if input == nil {
		input = canonical.Token(`""`)
	}
	object := make([]byte, 0, len(input)+len(canonical.CustomInput)+8)
	object = append(object, `{"`+canonical.CustomInput+`":`...)
	object = append(append(object, input...), '}')
	return rawjson.AppendString(nil, string(object))
}

// customSchema is the schema of such a function.
const customSchema = `{"type":"object","properties":{"` + canonical.CustomInput +
	`":{"type":"string"}},"required":["` + canonical.CustomInput + `"],"additionalProperties":false}`

// isCustomTool tells whether the client has declared a free-form tool of that name.
func isCustomTool(req *canonical.Request, name canonical.Token) bool {
	if req == nil {
		return false
	}
	for i := range req.Tools {
		if t := &req.Tools[i]; t.Custom && string(t.Name) == string(name) {
			return true
		}
	}
	return false
}
