package ccproxy

import (
	"bytes"
	"strings"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// modelName puts the client's name of a model back into what a provider says. The zero value changes nothing.
type modelName struct {
	asked  string       // of the provider
	client []byte       // the client's, as a JSON string
	doc    *rawjson.Doc // for the outer object
	inner  *rawjson.Doc // for the object within that has the name
}

func newModelName(call *Call) modelName {
	if call.mapped == "" {
		return modelName{}
	}
	return modelName{
		asked: call.mapped, client: rawjson.AppendString(nil, call.ClientModel),
		doc: new(rawjson.Doc), inner: new(rawjson.Doc),
	}
}

// restore returns an answer, or the data of an event, with the client's name; changed is false if it has no name to be
// replaced, and the result then is data itself.
func (m modelName) restore(data []byte) (out []byte, changed bool) {
	if m.asked == "" || !bytes.Contains(data, []byte(`"model"`)) || m.doc.Scan(data, rawjson.Options{}) != nil {
		return data, false
	}
	if m.isAsked(m.doc) {
		return m.doc.Set("model", m.client), true
	}
	for _, key := range [...]string{"message", "response"} {
		raw, ok := m.doc.Raw(key)
		if ok && m.inner.Scan(raw, rawjson.Options{}) == nil && m.isAsked(m.inner) {
			return m.doc.Set(key, m.inner.Set("model", m.client)), true
		}
	}
	return data, false
}

// isAsked tells whether an object names the model that the provider was asked for, or a dated version of it.
func (m modelName) isAsked(doc *rawjson.Doc) bool {
	raw, ok := doc.Raw("model")
	if !ok {
		return false
	}
	name, ok := rawjson.String(raw)
	if !ok {
		return false
	}
	if name == m.asked {
		return true
	}
	date, ok := strings.CutPrefix(name, strings.TrimSuffix(m.asked, "-latest"))
	return ok && isDate(date)
}

// isDate tells what vendors append to a model's name for its versions, such as "-20251001" and "-2024-08-06".
func isDate(s string) bool {
	if len(s) < len("-0613") || s[0] != '-' && s[0] != '@' {
		return false
	}
	return strings.Trim(s[1:], "0123456789-") == ""
}
