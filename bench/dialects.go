package main

import (
	"bytes"
	"regexp"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// direction is what a client speaks and what its upstream does, both by the letters that names of cases have.
type direction struct{ client, upstream string }

// The letters of the dialects.
const (
	letterMessages  = "A"
	letterChat      = "C"
	letterResponses = "R"
)

// native is the direction of cases in which nothing is converted.
func native() direction { return direction{letterMessages, letterMessages} }

func (d direction) converts() bool { return d.client != d.upstream }

// codecOf is the codec of a letter.
func codecOf(letter string) adapters.Codec {
	switch letter {
	case letterChat:
		return openai.Chat()
	case letterResponses:
		return openai.Responses()
	default:
		return anthropic.Codec()
	}
}

// pathOf is where a dialect's endpoint is.
func pathOf(letter string) string {
	switch letter {
	case letterChat:
		return "/v1/chat/completions"
	case letterResponses:
		return "/v1/responses"
	default:
		return "/v1/messages"
	}
}

// asked is a request of the Messages format in another dialect.
func asked(letter string, body []byte) []byte {
	if letter == letterMessages {
		return body
	}
	req, err := codecOf(letterMessages).Requests().DecodeRequest(body)
	if err != nil {
		return nil // which no test lets pass
	}
	out, err := codecOf(letter).Requests().EncodeRequest(req, nil)
	if err != nil {
		return nil
	}
	return out
}

// answered is an answer of the Messages format in another dialect.
func answered(letter string, body []byte) []byte {
	if letter == letterMessages {
		return body
	}
	resp, err := codecOf(letterMessages).Responses().DecodeResponse(body)
	if err != nil {
		return nil
	}
	out, err := codecOf(letter).Responses().EncodeResponse(resp, &canonical.Request{Model: model}, nil)
	if err != nil {
		return nil
	}
	return timeless(out)
}

// streamedAs are the events of a stream of the Messages format in another dialect.
func streamedAs(letter string, events [][]byte) [][]byte {
	if letter == letterMessages {
		return events
	}
	dec := codecOf(letterMessages).DecodeStream()
	enc := codecOf(letter).EncodeStream(&canonical.Request{Model: model, IncludeUsage: true})
	in := sse.NewReader(bytes.NewReader(bytes.Join(events, nil)), 0)
	var out [][]byte
	for {
		ev, err := in.Next()
		if err != nil {
			return out
		}
		err = dec.Decode(adapters.Event{Type: string(ev.Type), Data: ev.Data}, func(ev canonical.Event) error {
			return enc.Encode(&ev, func(ev adapters.Event) error {
				out = append(out, timeless(sse.AppendEvent(nil, ev.Type, ev.Data)))
				return nil
			})
		})
		if err != nil {
			return nil
		}
	}
}

// timeless replaces the time at which an answer was made, the one thing in which two answers differ.
func timeless(body []byte) []byte {
	return regexp.MustCompile(`"(created|created_at|completed_at)":\d+`).ReplaceAll(body, []byte(`"$1":1700000000`))
}
