package rawjson

import "strconv"

// Kind says what is wrong with a body.
type Kind uint8

// The kinds of [Error].
const (
	KindSyntax    Kind = iota + 1 // not JSON, or JSON that ends too early
	KindEmpty                     // no bytes, or only white space
	KindNotObject                 // a JSON value of another type at the top level
	KindTrailing                  // something follows the top-level object
	KindDepth                     // nested deeper than Options.MaxDepth
	KindDuplicate                 // a top-level key appears twice
	KindCase                      // a top-level key equals another, or a known one, but for case
	KindKeys                      // more top-level keys than Options.MaxKeys
)

// String gives the kind's name in lower case, for logs and metric labels.
func (k Kind) String() string {
	names := [...]string{
		"unknown", "syntax", "empty", "not_object", "trailing", "depth", "duplicate", "case", "keys",
	}
	if int(k) >= len(names) {
		return names[0]
	}
	return names[k]
}

// maxEcho bounds how much of a body an error carries: errors end up in logs and in answers.
const maxEcho = 64

// Error says what is wrong with a body and where. [Doc.Scan] returns no other type.
type Error struct {
	Kind   Kind
	Offset int    // index of the first byte that cannot stand; the body's length if it ends too early
	Key    string // the key of KindDuplicate and KindCase, unescaped, at most 64 bytes of it
	Msg    string // what was wrong or expected; constant text without bytes of the body
	found  byte   // the byte at Offset of a KindSyntax or KindTrailing; meaningless at the end of the body
	atEnd  bool
}

// Error names the kind and the place. It repeats at most 64 bytes of the body, as a quoted ASCII string.
func (e *Error) Error() string {
	at := " at byte " + strconv.Itoa(e.Offset)
	switch e.Kind {
	case KindDuplicate:
		return "duplicate key " + strconv.QuoteToASCII(e.Key) + at
	case KindCase:
		return "key " + strconv.QuoteToASCII(e.Key) + at + " differs only in case from " + e.Msg
	case KindSyntax:
		if e.atEnd {
			return "invalid JSON" + at + ": unexpected end, " + e.Msg
		}
		return "invalid JSON" + at + ": " + e.Msg + ", found " + strconv.QuoteToASCII(string([]byte{e.found}))
	default:
		return e.Msg + at
	}
}

// keyError makes the error for the key token at offset that clashes with another.
func keyError(kind Kind, offset int, token []byte, msg string) *Error {
	key := appendUnescaped(nil, token)
	return &Error{Kind: kind, Offset: offset, Key: string(key[:min(len(key), maxEcho)]), Msg: msg}
}

// syntaxError makes the error for the byte at offset of body, or for its end.
func syntaxError(body []byte, offset int, msg string) *Error {
	e := &Error{Kind: KindSyntax, Offset: offset, Msg: msg, atEnd: offset >= len(body)}
	if !e.atEnd {
		e.found = body[offset]
	}
	return e
}
