package adapters

import (
	"bytes"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Names of the stream events that end a stream.
const (
	eventError         = "error"
	eventMessageStop   = "message_stop"
	eventCompleted     = "response.completed"
	eventIncomplete    = "response.incomplete"
	eventFailed        = "response.failed"
	eventResponseError = "response.error"
)

// Terminal reports whether an event ends a stream of the format, and whether it ends it with an error. The
// data is looked at only if the event has no name, and it is never decoded: Terminal is called for every
// event and does not allocate. Formats other than the three known ones have no terminal events.
func Terminal(f Format, eventType string, data []byte) (terminal, isError bool) {
	switch f {
	case AnthropicMessages:
		return anthropicTerminal(nameOf(eventType, data))
	case OpenAIResponses:
		return responsesTerminal(nameOf(eventType, data))
	case OpenAIChatCompletions:
		return chatTerminal(eventType, data)
	default:
		return false, false
	}
}

func anthropicTerminal(name string) (terminal, isError bool) {
	switch name {
	case eventMessageStop:
		return true, false
	case eventError:
		return true, true
	default:
		return false, false
	}
}

func responsesTerminal(name string) (terminal, isError bool) {
	switch name {
	case eventCompleted, eventIncomplete:
		return true, false
	case eventFailed, eventError, eventResponseError:
		return true, true
	default:
		return false, false
	}
}

// chatTerminal looks at the data although chat chunks have no "type": the end is a bare word, and an error
// is an object with an "error" member that is not null (some upstreams send null with every chunk).
func chatTerminal(eventType string, data []byte) (terminal, isError bool) {
	if eventType == eventError {
		return true, true
	}
	if eventType != "" {
		return false, false
	}
	data = bytes.TrimSpace(data)
	if string(data) == "[DONE]" {
		return true, false
	}
	if !bytes.Contains(data, []byte(`"error"`)) { // a search is much cheaper than a walk over the members
		return false, false
	}
	value, ok := rawjson.Find(data, "error")
	if !ok || string(value) == "null" {
		return false, false
	}
	return true, true
}

// nameOf gives the event's name, or else that of the data's "type" member if it is one that ends a stream.
// It returns constants, since making a string of the member would allocate.
func nameOf(eventType string, data []byte) string {
	if eventType != "" {
		return eventType
	}
	value, _ := rawjson.Find(data, "type")
	switch string(value) {
	case `"` + eventError + `"`:
		return eventError
	case `"` + eventMessageStop + `"`:
		return eventMessageStop
	case `"` + eventCompleted + `"`:
		return eventCompleted
	case `"` + eventIncomplete + `"`:
		return eventIncomplete
	case `"` + eventFailed + `"`:
		return eventFailed
	case `"` + eventResponseError + `"`:
		return eventResponseError
	default:
		return ""
	}
}
