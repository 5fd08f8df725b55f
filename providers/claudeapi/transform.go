package claudeapi

import (
	"context"
	"slices"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
	"github.com/ccproxy-go/ccproxy/providers"
)

// systemPrefix puts a text block before the system prompt. What the client wrote stays as it is.
func systemPrefix(text string) providers.Transformer {
	block := textBlock(rawjson.AppendString(nil, text))
	return providers.TransformerFunc(func(_ context.Context, req *providers.Request) error {
		var doc rawjson.Doc
		if err := doc.Scan(req.Body, rawjson.Options{}); err != nil {
			return err
		}
		system, ok := doc.Raw("system")
		list := [][]byte{block}
		switch {
		case !ok || string(system) == "null":
		case system[0] == '"':
			list = append(list, textBlock(system))
		case system[0] != '[':
			return nil // the API says what is wrong with it
		default:
			list = slices.AppendSeq(list, rawjson.Elements(system))
		}
		req.Body = doc.Set("system", joinArray(list))
		return nil
	})
}

// textBlock makes a block of a JSON string token.
func textBlock(token []byte) []byte {
	return slices.Concat([]byte(`{"type":"text","text":`), token, []byte("}"))
}

func joinArray(elements [][]byte) []byte {
	out := []byte{'['}
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, ']')
}

// mark is one cache_control of a request.
type mark struct {
	id   int // in the order of the request
	size int // of the block that it stands in
}

// cacheControlLimit removes cache_control marks beyond the first limit by the size of their blocks: the API refuses
// requests with more of them, and a large block is what is worth caching.
func cacheControlLimit(limit int) providers.Transformer {
	return providers.TransformerFunc(func(_ context.Context, req *providers.Request) error {
		var marks []mark
		walk(req.Body, func(block []byte) []byte {
			marks = append(marks, mark{id: len(marks), size: len(block)})
			return nil
		})
		if len(marks) <= limit {
			return nil
		}
		slices.SortStableFunc(marks, func(a, b mark) int { return b.size - a.size })
		drop := make(map[int]bool)
		for _, m := range marks[limit:] {
			drop[m.id] = true
		}
		id := -1
		req.Body = walk(req.Body, func(block []byte) []byte {
			id++
			if !drop[id] {
				return nil
			}
			return without(block, "cache_control")
		})
		return nil
	})
}

func without(object []byte, key string) []byte {
	var doc rawjson.Doc
	if doc.Scan(object, rawjson.Options{}) != nil {
		return nil
	}
	return doc.Delete(key)
}

// deepest is how far blocks stand in one another: documents in tool results in messages, with room to spare. To walk
// all that somebody nests would cost as often as it is deep.
const deepest = 4

// walk calls visit for every block of system, tools and messages that has a cache_control. Where visit returns a
// block, it takes the place of the old one in the body that walk returns.
func walk(body []byte, visit func(block []byte) []byte) []byte {
	var work rawjson.Doc
	for _, key := range [...]string{"tools", "system", "messages"} {
		if work.Scan(body, rawjson.Options{}) != nil {
			return body
		}
		list, ok := work.Raw(key)
		if !ok || len(list) == 0 || list[0] != '[' {
			continue
		}
		if changed := walkList(list, visit, deepest); changed != nil {
			body = work.Set(key, changed)
		}
	}
	return body
}

// walkList visits the blocks of a list, each before the blocks in its content. It returns nil when nothing changed.
func walkList(list []byte, visit func([]byte) []byte, depth int) []byte {
	var out [][]byte
	changed := false
	for e := range rawjson.Elements(list) {
		if next := visitBlock(e, visit); next != nil {
			e, changed = next, true
		}
		if depth > 0 {
			if next := walkContent(e, visit, depth-1); next != nil {
				e, changed = next, true
			}
		}
		out = append(out, e)
	}
	if !changed {
		return nil
	}
	return joinArray(out)
}

func visitBlock(e []byte, visit func([]byte) []byte) []byte {
	if len(e) == 0 || e[0] != '{' {
		return nil
	}
	if v, ok := rawjson.Find(e, "cache_control"); !ok || string(v) == "null" {
		return nil
	}
	return visit(e)
}

// walkContent visits the blocks in an object's content, which tool results have as well as messages.
func walkContent(e []byte, visit func([]byte) []byte, depth int) []byte {
	content, ok := rawjson.Find(e, "content")
	if !ok || len(content) == 0 || content[0] != '[' {
		return nil
	}
	inner := walkList(content, visit, depth)
	if inner == nil {
		return nil
	}
	var doc rawjson.Doc
	if doc.Scan(e, rawjson.Options{}) != nil {
		return nil
	}
	return doc.Set("content", inner)
}
