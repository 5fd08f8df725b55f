package openai

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// itemWriter is a writer with what the objects of the Responses API need besides.
type itemWriter struct{ writer }

// memberOr writes a member, with a default where there is no value.
func (w *itemWriter) memberOr(name string, value []byte, otherwise string) {
	w.key(name)
	if len(value) == 0 {
		w.buf = append(w.buf, otherwise...)
		return
	}
	w.buf = append(w.buf, value...)
}

// escaped writes a member whose text needs escapes perhaps.
func (w *itemWriter) escaped(name, value string) {
	w.key(name)
	w.buf = rawjson.AppendString(w.buf, value)
}

func (w *itemWriter) boolean(name string, b bool) {
	w.key(name)
	w.buf = strconv.AppendBool(w.buf, b)
}

// dataURI writes "data:TYPE;base64,DATA" from tokens without looking into them.
func (w *itemWriter) dataURI(name string, mime, data canonical.Token) {
	w.key(name)
	w.buf = slices.Grow(w.buf, len(mime)+len(data)+len(`"data:;base64,"`))
	w.buf = append(w.buf, `"data:`...)
	w.buf = append(w.buf, inner(mime)...)
	w.buf = append(w.buf, ";base64,"...)
	w.buf = append(w.buf, inner(data)...)
	w.buf = append(w.buf, '"')
}

// splitDataURI takes a "data:TYPE;base64,DATA" apart. Another address gives nothing.
func splitDataURI(t canonical.Token) (mime, data canonical.Token) {
	const scheme, mark = "data:", ";base64,"
	text := inner(t)
	if !bytes.HasPrefix(text, []byte(scheme)) {
		return nil, nil
	}
	head, tail, found := bytes.Cut(text[len(scheme):], []byte(mark))
	if !found || len(head) == 0 || bytes.IndexByte(head, ',') >= 0 {
		return nil, nil
	}
	return quote(head), quote(tail)
}

// hasItems reports whether a list has any element.
func hasItems(raw []byte) bool {
	for range rawjson.Elements(raw) {
		return true
	}
	return false
}

// listOf gives a list unless it is empty, which is the same as none.
func listOf(raw []byte) canonical.Raw {
	if !hasItems(raw) {
		return nil
	}
	return raw
}

// startsWith reports whether the text of a token begins with plain characters.
func startsWith(t canonical.Token, prefix string) bool {
	return bytes.HasPrefix(inner(t), []byte(prefix))
}

// orEmpty gives "" for no token.
func orEmpty(t canonical.Token) canonical.Token {
	if t == nil {
		return canonical.Token(`""`)
	}
	return t
}

// loseFields notes kept members that mean nothing here.
func loseFields(lost *canonical.Losses, path string, list []canonical.Field) {
	for _, f := range list {
		lost.Add(join(path, f.Name), "no such member in this dialect")
	}
}
