package ccproxy

import (
	"bytes"
	"errors"
	"io"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// bareError gives an error that a provider wrote into its stream as it would have answered with it, without the
// fields of an event, as servers do that fail after they have begun. It is nil for anything else. ev and err are what
// the reader gave last.
func bareError(in *sse.Reader, ev sse.Event, err error) []byte {
	raw := ev.Raw
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		raw = in.Rest()
	case err != nil || ev.HasData:
		return nil
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	var doc rawjson.Doc
	if doc.Scan(raw, rawjson.Options{}) != nil {
		return nil
	}
	if told, ok := doc.Raw("error"); !ok || string(told) == "null" {
		return nil
	}
	return raw
}

// tail relays such an error as the event that it should have been.
func (t *relay) tail(data []byte) error {
	typ := ""
	if t.client == adapters.AnthropicMessages {
		typ = "error"
	}
	if err := t.event(typ, data, sse.AppendEvent(nil, typ, data), true); err != nil {
		return err
	}
	return t.out.flush()
}
