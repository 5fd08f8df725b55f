// Package envelope carries what a client's dialect has no place for through fields that the client gives back
// untouched on the next turn: a signature of one vendor in the opaque field of another, or an id that does not fit.
//
// An envelope is a JSON string that says what it is by its first characters and checks its own content, so that
// one that was cut short, changed, or never was one is told apart from an envelope. It is no secret and proves
// nothing about who made it: what is in it is as much the client's word as the rest of the request.
package envelope

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"strings"

	"github.com/ccproxy-go/ccproxy/adapters/canonical"
)

// ToolID is the kind of envelopes that stand where an id does: they consist of letters, digits, "_" and "-" alone.
// They grow with what is sealed; [ClampID] is for ids that must stay short.
const ToolID = "toolid"

// The first characters say version and form. Another form gets another number.
const (
	prefix   = "ccproxy1."
	idPrefix = "ccp1_"
)

// Start is what an envelope begins with where it stands in a body, unless it stands for an id.
const Start = `"` + prefix

// In tells whether a body may hold an envelope, except one that stands for an id. Every request is looked through, so
// it searches for those letters of Start that are rare in JSON: quotes would stop it at every member.
func In(body []byte) bool {
	const rare = "xy1."
	for rest := body; ; {
		i := bytes.Index(rest, []byte(rare))
		if i < 0 {
			return false
		}
		if bytes.HasSuffix(rest[:i], []byte(Start[:len(Start)-len(rare)])) {
			return true
		}
		rest = rest[i+len(rare):]
	}
}

// How a field is written. The quotes of a string are left out, which keeps ids short.
const (
	fieldNil = iota
	fieldString
	fieldOther
	fieldForms
)

// Seal puts fields into an envelope of a kind. Fields are JSON values, strings mostly; a nil one comes back as nil.
// What is not valid JSON is sealed but not opened again.
func Seal(kind string, fields ...canonical.Token) canonical.Token {
	start := prefix
	var payload []byte
	if kind == ToolID {
		start = idPrefix
	} else {
		payload = binary.AppendUvarint(payload, uint64(len(kind)))
		payload = append(payload, kind...)
	}
	for _, f := range fields {
		payload = appendField(payload, f)
	}
	payload = binary.BigEndian.AppendUint32(payload, crc32.ChecksumIEEE(payload))
	out := make(canonical.Token, 0, len(start)+base64.RawURLEncoding.EncodedLen(len(payload))+len(`""`))
	out = append(out, '"')
	out = append(out, start...)
	out = base64.RawURLEncoding.AppendEncode(out, payload)
	return append(out, '"')
}

func appendField(dst []byte, f canonical.Token) []byte {
	form, content := uint64(fieldOther), f
	switch {
	case f == nil:
		form = fieldNil
	case quoted(f):
		form, content = fieldString, f[1:len(f)-1]
	}
	dst = binary.AppendUvarint(dst, uint64(len(content))*fieldForms+form)
	return append(dst, content...)
}

// Open takes an envelope apart. It is false for anything else, envelopes that are cut or changed included. The
// fields are valid JSON, so that they can be written into a body as they are.
func Open(t canonical.Token) (kind string, fields []canonical.Token, ok bool) {
	text, found := content(t)
	if !found {
		return "", nil, false
	}
	encoded, isID := strings.CutPrefix(text, idPrefix)
	if !isID {
		if encoded, found = strings.CutPrefix(text, prefix); !found {
			return "", nil, false
		}
	}
	payload, ok := checked(encoded)
	if !ok {
		return "", nil, false
	}
	kind = ToolID
	if !isID {
		if kind, payload, ok = cutKind(payload); !ok {
			return "", nil, false
		}
	}
	if fields, ok = openFields(payload); !ok {
		return "", nil, false
	}
	return kind, fields, true
}

// Sealed reports whether a token looks like an envelope, whole or not. One that does and cannot be opened must not
// reach a vendor either: it never made it.
func Sealed(t canonical.Token) bool {
	text, ok := content(t)
	return ok && (strings.HasPrefix(text, prefix) || strings.HasPrefix(text, idPrefix))
}

// content is the string of a token that may be an envelope. Others are told apart without being decoded.
func content(t canonical.Token) (string, bool) {
	const start = "cc" // of both prefixes
	if !quoted(t) {
		return "", false
	}
	in := t[1 : len(t)-1]
	if len(in) < len(start) || string(in[:len(start)]) != start && in[0] != '\\' && in[1] != '\\' {
		return "", false
	}
	s := t.String()
	return s, s != ""
}

func quoted(t canonical.Token) bool {
	return len(t) >= len(`""`) && t[0] == '"' && t[len(t)-1] == '"'
}

// checked decodes a payload and compares its sum.
func checked(encoded string) ([]byte, bool) {
	const sumLen = 4
	payload, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(payload) < sumLen || strings.ContainsAny(encoded, "\r\n") { // the decoder skips line ends
		return nil, false
	}
	body, sum := payload[:len(payload)-sumLen], payload[len(payload)-sumLen:]
	return body, crc32.ChecksumIEEE(body) == binary.BigEndian.Uint32(sum)
}

func cutKind(payload []byte) (kind string, rest []byte, ok bool) {
	n, size := binary.Uvarint(payload)
	if size <= 0 {
		return "", nil, false
	}
	if payload = payload[size:]; n > uint64(len(payload)) {
		return "", nil, false
	}
	kind = string(payload[:n])
	return kind, payload[n:], kind != ToolID
}

func openFields(payload []byte) ([]canonical.Token, bool) {
	var fields []canonical.Token
	for len(payload) > 0 {
		head, size := binary.Uvarint(payload)
		if size <= 0 {
			return nil, false
		}
		n := head / fieldForms
		if payload = payload[size:]; n > uint64(len(payload)) {
			return nil, false
		}
		f, ok := field(head%fieldForms, payload[:n])
		if !ok {
			return nil, false
		}
		fields = append(fields, f)
		payload = payload[n:]
	}
	return fields, true
}

// field is a field as it was sealed. Whoever seals by other means than Seal gets no quotes or braces past it that
// would end the value it is written into.
func field(form uint64, content []byte) (canonical.Token, bool) {
	switch form {
	case fieldNil:
		return nil, len(content) == 0
	case fieldString:
		t := make(canonical.Token, 0, len(content)+len(`""`))
		t = append(append(append(t, '"'), content...), '"')
		return t, json.Valid(t)
	default:
		t := canonical.Token(content)
		return t, !quoted(t) && json.Valid(t)
	}
}
