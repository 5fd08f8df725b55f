package main

import (
	"fmt"
	"strings"
)

// dialect is one of the formats in which clients speak.
type dialect struct {
	name    string
	path    string // below the provider
	success string // the one thing that ends a stream well
	failure string // the one thing that ends it otherwise
}

func dialects() []dialect {
	return []dialect{
		{"messages", "/v1/messages", "event: message_stop\n", "event: error\n"},
		{"chat", "/v1/chat/completions", "data: [DONE]\n", `data: {"error":`},
		{"responses", "/v1/responses", "event: response.completed\n", "event: response.failed\n"},
	}
}

// provider is where the proxy has the upstream.
const provider = "/claude"

// body is a request with an order.
func (d dialect) body(o order) string {
	stream := ""
	if o.streams() {
		stream = `"stream":true,`
	}
	switch d.name {
	case "responses":
		return fmt.Sprintf(`{"model":%q,%s"store":false,"input":[{"role":"user","content":"Hi"}]}`, o.model(), stream)
	case "chat":
		return fmt.Sprintf(`{"model":%q,%s"messages":[{"role":"user","content":"Hi"}]}`, o.model(), stream)
	default:
		return fmt.Sprintf(`{"model":%q,%s"max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}`,
			o.model(), stream)
	}
}

// wellEnded tells what is wrong with a stream that should have ended well, or "".
func (d dialect) wellEnded(text string) string { return d.ended(text, 1, 0) }

// badlyEnded tells what is wrong with a stream that should have ended with an error, or "".
func (d dialect) badlyEnded(text string) string { return d.ended(text, 0, 1) }

func (d dialect) ended(text string, wellWanted, badlyWanted int) string {
	well, badly := strings.Count(text, d.success), strings.Count(text, d.failure)
	if well == wellWanted && badly == badlyWanted {
		return ""
	}
	return fmt.Sprintf("a stream in the %s format has %d good and %d bad ends, ending in %q", d.name, well, badly,
		text[max(0, len(text)-200):])
}
