package ccproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"

	"github.com/ccproxy-go/ccproxy/adapters"
)

// convertMap runs an adapter that knows nothing but maps on JSON.
func convertMap(
	ctx context.Context, body []byte, convert func(context.Context, map[string]any) (map[string]any, error),
) ([]byte, error) {
	in, err := decodeMap(body)
	if err != nil {
		return nil, err
	}
	out, err := convert(ctx, in)
	if err != nil {
		return nil, err
	}
	return encodeMap(out)
}

func decodeMap(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // token counts and seeds must survive
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, err
	}
	return m, nil
}

func encodeMap(m map[string]any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func decodeStream(in adapters.Stream) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		for ev, err := range in {
			if err != nil {
				yield(nil, err)
				return
			}
			if string(bytes.TrimSpace(ev.Data)) == "[DONE]" {
				continue
			}
			m, err := decodeMap(ev.Data)
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// encodeStream names the events as the format does, and ends a chat stream that came to its end.
func encodeStream(f adapters.Format, in iter.Seq2[map[string]any, error]) adapters.Stream {
	return func(yield func(adapters.Event, error) bool) {
		failed := false
		for m, err := range in {
			var data []byte
			if err == nil {
				data, err = encodeMap(m)
			}
			if err != nil {
				yield(adapters.Event{}, err)
				return
			}
			failed = failed || m["error"] != nil
			ev := adapters.Event{Data: data}
			if f != adapters.OpenAIChatCompletions {
				ev.Type, _ = m["type"].(string)
			}
			if !yield(ev, nil) {
				return
			}
		}
		if f == adapters.OpenAIChatCompletions && !failed { // an error ends a stream by itself
			yield(adapters.Event{Data: []byte("[DONE]")}, nil)
		}
	}
}
