package codex

import (
	"bytes"
	"fmt"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// input returns the items for ChatGPT, and takes the system messages before the conversation out of them.
func (d *draft) input() []byte {
	raw, ok := d.doc.Raw("input")
	if !ok {
		return nil
	}
	if text, isText := asText(raw); isText {
		d.changed = true
		return array([][]byte{userMessage(text)})
	}
	if len(raw) == 0 || raw[0] != '[' {
		return raw // ChatGPT says what is wrong with it
	}
	var items [][]byte
	edited, leading, index := false, true, -1
	for item := range rawjson.Elements(raw) {
		index++
		role := roleOf(item)
		leading = leading && (role == "system" || role == "developer")
		kept := d.item(item, role, leading, index)
		edited = edited || kept == nil || !bytes.Equal(kept, item)
		if kept != nil {
			items = append(items, kept)
		}
	}
	if !edited {
		return raw
	}
	d.changed = true
	return array(items)
}

// roleOf returns the role of a message, or "" for other items.
func roleOf(item []byte) string {
	if kind, ok := rawjson.Find(item, "type"); ok && string(kind) != `"message"` {
		return ""
	}
	raw, _ := rawjson.Find(item, "role")
	role, _ := rawjson.String(raw)
	return role
}

// item returns an item as ChatGPT takes it, or nil where it is left out.
func (d *draft) item(item []byte, role string, leading bool, index int) []byte {
	kind, _ := rawjson.Find(item, "type")
	switch {
	case string(kind) == `"item_reference"`:
		d.lost.Add(fmt.Sprintf("input[%d]", index), "refers to what ChatGPT has not stored")
		return nil
	case string(kind) == `"reasoning"` && !encrypted(item):
		d.lost.Add(fmt.Sprintf("input[%d]", index), "ChatGPT takes reasoning only with encrypted_content")
		return nil
	case leading && (role == "system" || d.rules.developer):
		if text, ok := messageText(item); ok {
			d.system = append(d.system, text...)
			return nil
		}
	}
	item = d.withoutPrivate(item, index)
	switch role {
	case "developer":
		d.guided = true
	case "system": // in its place, so that it still says the same at the same time
		d.guided = true
		return replace(item, "role", []byte(`"developer"`))
	}
	return item
}

func encrypted(item []byte) bool {
	raw, _ := rawjson.Find(item, "encrypted_content")
	text, ok := asText(raw)
	return ok && len(text) > 0
}

// messageText returns the texts of a message, between their quotes, if it holds nothing else.
func messageText(item []byte) ([][]byte, bool) {
	content, _ := rawjson.Find(item, "content")
	if text, ok := asText(content); ok {
		return [][]byte{text}, true
	}
	if len(content) == 0 || content[0] != '[' {
		return nil, false
	}
	var texts [][]byte
	for part := range rawjson.Elements(content) {
		kind, _ := rawjson.Find(part, "type")
		raw, _ := rawjson.Find(part, "text")
		text, ok := asText(raw)
		if !ok || string(kind) != `"input_text"` && string(kind) != `"text"` {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}

// withoutPrivate removes the members of an item that are the client's own notes.
func (d *draft) withoutPrivate(item []byte, index int) []byte {
	if !bytes.Contains(item, []byte(`"_`)) {
		return item
	}
	for key := range rawjson.Members(item) {
		name, _ := rawjson.String(key)
		if !private(name) {
			continue
		}
		d.lost.Add(fmt.Sprintf("input[%d].%s", index, name), "not taken by ChatGPT")
		var doc rawjson.Doc
		if doc.Scan(item, rawjson.Options{}) != nil {
			return item
		}
		item = doc.Delete(name)
	}
	return item
}

// replace gives an object another value of a member. What is no object stays.
func replace(object []byte, key string, raw []byte) []byte {
	var doc rawjson.Doc
	if doc.Scan(object, rawjson.Options{}) != nil {
		return object
	}
	return doc.Set(key, raw)
}
