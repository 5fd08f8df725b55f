package openai

import (
	"bytes"
	"fmt"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// maxChoices bounds what a chunk may say about how many answers there are.
const maxChoices = 128

// yieldEvent takes a neutral event.
type yieldEvent = func(canonical.Event) error

// chatStreamDecoder takes the chunks of one stream. The zero value is ready.
//
// The dialect has no blocks: words of one kind in a row are one, and each call is one. Words end when others begin.
// A call goes on beside other blocks until its arguments are whole, since servers may send those of several calls
// by turns. The reason to stop comes before the usage, so the stop is told when the stream ends.
type chatStreamDecoder struct {
	doc     rawjson.Doc
	seen    bool // there was a chunk
	started bool // EventStart is out
	ended   bool // the answer is complete, or has failed
	usage   *canonical.Usage
	choices []streamedChoice

	part canonical.Part // of the event that is being told
	call canonical.ToolCall
}

// Decode takes one chunk.
func (d *chatStreamDecoder) Decode(ev adapters.Event, yield func(canonical.Event) error) error {
	data := bytes.TrimSpace(ev.Data)
	switch {
	case d.ended || len(data) == 0:
		return nil
	case string(data) == "[DONE]":
		return d.finish(yield)
	case ev.Type == "error":
		return d.fail(decodeError(data), yield)
	}
	if err := scan(&d.doc, data); err != nil {
		return err
	}
	if raw, ok := d.doc.Raw("error"); ok && !isNull(raw) {
		return d.fail(decodeError(data), yield)
	}
	choices, _ := d.doc.Raw("choices")
	if object, _ := d.doc.Raw("object"); !isArray(choices) && is(object, "error") {
		return d.fail(decodeError(data), yield)
	}
	d.seen = true
	if raw, ok := d.doc.Raw("usage"); ok && isObject(raw) {
		d.usage = decodeChatUsage(raw)
		d.usage.Extra = cloneFields(d.usage.Extra) // it is told with the last event
	}
	for raw := range rawjson.Elements(choices) {
		if err := d.choice(raw, data, yield); err != nil {
			return err
		}
	}
	return nil
}

// End is called when the upstream has closed the stream. Servers that leave the last word out have said all that
// matters once there is a reason to stop.
func (d *chatStreamDecoder) End(yield func(canonical.Event) error) error {
	if d.ended {
		return nil
	}
	if len(d.choices) == 0 {
		return adapters.ErrStreamCut
	}
	for i := range d.choices {
		if d.choices[i].finish == "" {
			return adapters.ErrStreamCut
		}
	}
	return d.finish(yield)
}

func (d *chatStreamDecoder) fail(e *canonical.Error, yield yieldEvent) error {
	d.ended = true
	return yield(canonical.Event{Kind: canonical.EventError, Error: e})
}

// start tells the first event; body is the chunk that is at hand.
func (d *chatStreamDecoder) start(body []byte, yield yieldEvent) error {
	if d.started {
		return nil
	}
	d.started = true
	ev := canonical.Event{Kind: canonical.EventStart, Source: chatSource, Usage: d.usage}
	for key, v := range rawjson.Members(body) {
		name := nameOf(key)
		switch string(name) {
		case "object", "choices", "usage", "error", "obfuscation":
		case "id":
			ev.ID = lenientString(v)
		case "model":
			ev.Model = lenientString(v)
		case "created":
			ev.Created, _ = rawjson.Int(v)
		default:
			if !isNull(v) {
				keep(&ev.Extra, name, v)
			}
		}
	}
	return yield(ev)
}

// choice takes what a chunk says about one of the answers.
func (d *chatStreamDecoder) choice(raw, body []byte, yield yieldEvent) error {
	var index int64
	var delta, logprobs []byte
	var finish canonical.Token
	for key, v := range rawjson.Members(raw) {
		switch string(nameOf(key)) {
		case "index":
			index, _ = rawjson.Int(v)
		case "delta":
			delta = v
		case "finish_reason":
			finish = lenientString(v)
		case "logprobs":
			logprobs = v
		}
	}
	if index < 0 || index >= maxChoices {
		return invalid("choices[0].index", "is out of range")
	}
	if err := d.start(body, yield); err != nil {
		return err
	}
	for len(d.choices) <= int(index) {
		d.choices = append(d.choices, streamedChoice{open: none})
	}
	c := &d.choices[index]
	t := choiceTeller{d: d, c: c, choice: int(index), yield: yield}
	if isObject(logprobs) {
		t.logprobs = logprobs
	}
	if err := t.delta(delta); err != nil {
		return err
	}
	if finish.Empty() {
		return nil
	}
	c.finish = finish.String()
	return t.closeAll()
}

// finish tells the last event.
func (d *chatStreamDecoder) finish(yield yieldEvent) error {
	d.ended = true
	if !d.seen {
		return fmt.Errorf("%w: no chunks", adapters.ErrStreamCut)
	}
	if err := d.start(nil, yield); err != nil {
		return err
	}
	end := canonical.Event{Kind: canonical.EventStop, Usage: d.usage}
	for i := range d.choices {
		c := &d.choices[i]
		t := choiceTeller{d: d, c: c, choice: i, yield: yield}
		if err := t.closeAll(); err != nil {
			return err
		}
		stop := decodeFinish(c.finish, len(c.calls) > 0, c.refused)
		if stop.Reason == canonical.StopFailed {
			return d.fail(stop.Error, yield)
		}
		if i == 0 {
			end.Stop = stop
			continue
		}
		end.More = append(end.More, stop)
	}
	return yield(end)
}
