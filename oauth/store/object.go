package store

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/ccproxy-go/ccproxy/internal/secret"
	"github.com/ccproxy-go/ccproxy/oauth"
)

// object is a JSON object whose members keep their order and, unless they are set, their bytes: numbers that
// no float64 can hold survive, and so does what other programs put there.
type object struct{ members []member }

type member struct {
	key   string
	value json.RawMessage
}

// parseObject reads a document. Its errors tell where it breaks and never what is there.
func parseObject(doc []byte) (*object, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, corrupt("not a JSON object")
	}
	o := new(object)
	for dec.More() {
		t, err := dec.Token()
		key, isKey := t.(string)
		if err != nil || !isKey {
			return nil, corrupt("not JSON at byte %d", dec.InputOffset())
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, corrupt("not JSON at byte %d", dec.InputOffset())
		}
		o.delete(key) // the last of two is the one that counts, as it does for those who wrote them
		o.members = append(o.members, member{key, value})
	}
	if _, err := dec.Token(); err != nil {
		return nil, corrupt("not JSON at byte %d", dec.InputOffset())
	}
	if len(bytes.TrimSpace(doc[dec.InputOffset():])) > 0 {
		return nil, corrupt("more than one JSON value")
	}
	return o, nil
}

// raw gives a member's value; nil if there is none or it is null.
func (o *object) raw(key string) json.RawMessage {
	for _, m := range o.members {
		if m.key == key && string(m.value) != "null" {
			return m.value
		}
	}
	return nil
}

// object gives a member that is an object; an empty one if there is none.
func (o *object) object(key string) (*object, error) {
	raw := o.raw(key)
	if raw == nil {
		return new(object), nil
	}
	inner, err := parseObject(raw)
	if err != nil {
		return nil, corrupt("%s is not an object", key)
	}
	return inner, nil
}

// set puts a value in the place of the member's old one, or at the end.
func (o *object) set(key string, value json.RawMessage) {
	i := slices.IndexFunc(o.members, func(m member) bool { return m.key == key })
	if i < 0 {
		o.members = append(o.members, member{key, value})
		return
	}
	o.members[i].value = value
}

// setText sets a string, or what stands for none if it is empty; nil takes the member away.
func (o *object) setText(key, text string, none json.RawMessage) {
	switch {
	case text != "":
		o.set(key, quote(text))
	case none != nil:
		o.set(key, none)
	default:
		o.delete(key)
	}
}

func (o *object) setSecret(key string, s oauth.Secret, none json.RawMessage) {
	o.setText(key, s.Reveal(), none)
}

func (o *object) delete(key string) {
	o.members = slices.DeleteFunc(o.members, func(m member) bool { return m.key == key })
}

// bytes gives the object as JSON: with its members as they came.
func (o *object) bytes() json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quote(m.key))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// document gives the object as the content of a file, indented as like is; without one as indented says.
func (o *object) document(like []byte, indented bool) ([]byte, error) {
	if len(bytes.TrimSpace(like)) > 0 {
		indented = bytes.ContainsRune(bytes.TrimSpace(like), '\n')
	}
	var b bytes.Buffer
	var err error
	if indented {
		err = json.Indent(&b, o.bytes(), "", "  ")
	} else {
		err = json.Compact(&b, o.bytes())
	}
	if err != nil {
		return nil, invalid("a member of Extra is not JSON")
	}
	if indented {
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// extra gives the members that known does not name, compact; nil if there are none.
func (o *object) extra(known []string) map[string]json.RawMessage {
	var extra map[string]json.RawMessage
	for _, m := range o.members {
		if slices.Contains(known, m.key) {
			continue
		}
		if extra == nil {
			extra = make(map[string]json.RawMessage)
		}
		var b bytes.Buffer
		if json.Compact(&b, m.value) == nil {
			extra[m.key] = b.Bytes()
		}
	}
	return extra
}

// setExtra puts the members of extra in, but those that known names. Others that known does not name go,
// unless keep is set.
func (o *object) setExtra(extra map[string]json.RawMessage, known []string, keep bool) {
	o.members = slices.DeleteFunc(o.members, func(m member) bool {
		_, stays := extra[m.key]
		return !stays && !keep && !slices.Contains(known, m.key)
	})
	keys := make([]string, 0, len(extra))
	for key := range extra {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		switch value := extra[key]; {
		case slices.Contains(known, key):
		case len(value) == 0:
			o.set(key, json.RawMessage("null"))
		default:
			o.set(key, value)
		}
	}
}

// text reads a member that is a string or null.
func (o *object) text(key string) (string, error) {
	var s string
	if raw := o.raw(key); raw != nil && json.Unmarshal(raw, &s) != nil {
		return "", corrupt("%s is not a string", key)
	}
	return s, nil
}

// secret reads a token. The placeholder that is shown in place of one is none.
func (o *object) secret(key string) (oauth.Secret, error) {
	s, err := o.text(key)
	if err != nil {
		return oauth.Secret{}, err
	}
	if s == secret.Redacted {
		return oauth.Secret{}, corrupt("%s is a redacted placeholder", key)
	}
	return oauth.NewSecret(s), nil
}

// list reads an array of strings, or one string with words.
func (o *object) list(key string) ([]string, error) {
	raw := o.raw(key)
	if raw == nil {
		return nil, nil
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		if len(list) == 0 {
			return nil, nil
		}
		return list, nil
	}
	var words string
	if json.Unmarshal(raw, &words) == nil {
		return strings.Fields(words), nil
	}
	return nil, corrupt("%s is not a list of strings", key)
}

// setList sets an array of strings, or what stands for none; nil takes the member away.
func (o *object) setList(key string, list []string, none json.RawMessage) {
	if len(list) == 0 {
		if none == nil {
			o.delete(key)
			return
		}
		o.set(key, none)
		return
	}
	items := make([]string, len(list))
	for i, s := range list {
		items[i] = string(quote(s))
	}
	o.set(key, json.RawMessage("["+strings.Join(items, ",")+"]"))
}

// moment reads a time: RFC 3339, or a number of seconds or, beyond the year 5000, of milliseconds. Zero and
// null are the zero time.
func (o *object) moment(key string) (time.Time, error) {
	raw := o.raw(key)
	if raw == nil {
		return time.Time{}, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		t, err := time.Parse(time.RFC3339Nano, text)
		if text != "" && err != nil {
			return time.Time{}, corrupt("%s is not a time", key)
		}
		return t.UTC(), nil
	}
	const firstMilli, last = 1e11, 1e15
	var n float64
	switch err := json.Unmarshal(raw, &n); {
	case err != nil || n < 0 || n > last:
		return time.Time{}, corrupt("%s is not a time", key)
	case n == 0:
		return time.Time{}, nil
	case n > firstMilli:
		return time.UnixMilli(int64(n)).UTC(), nil
	}
	return time.Unix(int64(n), 0).UTC(), nil
}

// quote writes a JSON string as other programs would: without escaping what only HTML needs.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return json.RawMessage(`""`) // neither a string nor a buffer can fail
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
