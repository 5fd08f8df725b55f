// Package secret holds text that must not appear in logs, error messages or JSON.
//
// A [Text] prints, logs and marshals as a fixed placeholder; only [Text.Reveal] gives the value. The text
// lies behind a pointer: fmt cannot call methods on the unexported fields of a struct, and a string held by
// value would be printed from there in plain.
//
//	token := secret.New("sk-123")
//	fmt.Println(token)          // [REDACTED]
//	req.Header.Set("Authorization", "Bearer "+token.Reveal())
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what a Text that is not empty prints as.
const Redacted = "[REDACTED]"

// ErrRedacted is returned when a Text is decoded from its own placeholder: the value was lost where it was
// written, and using the placeholder as a credential would only fail later and elsewhere.
var ErrRedacted = errors.New("secret: value is a redacted placeholder")

// Text is a secret string. The zero value is the empty secret. A Text is immutable apart from decoding into
// it, so copies may be used by several goroutines. It cannot be compared with ==; use [Text.Equal].
type Text struct { //nolint:recvcheck // copies redact, decoding changes the receiver
	_ [0]func() // no ==: it would compare addresses
	p *string
}

// New makes a Text of s. The empty string gives the zero Text.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{p: &s}
}

// Reveal gives the text in plain, "" for the zero Text. Call it where the value is used and keep the result
// out of variables that live longer.
func (t Text) Reveal() string {
	if t.p == nil {
		return ""
	}
	return *t.p
}

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.p == nil }

// Equal reports whether both hold the same text, in a time that tells nothing of where they differ. Two
// empty texts are equal: whoever checks a credential must refuse the empty one first.
func (t Text) Equal(other Text) bool {
	a, b := sha256.Sum256([]byte(t.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String gives [Redacted], or "" for the zero Text.
func (t Text) String() string {
	if t.p == nil {
		return ""
	}
	return Redacted
}

// GoString is what %#v prints; it is the same as String.
func (t Text) GoString() string { return t.String() }

// Format writes the placeholder for every verb, flag and width.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// LogValue is what slog handlers write.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText gives the placeholder. Code that stores secrets writes Reveal itself, so that a forgotten
// secret in some other structure is never written by accident.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON gives the placeholder as a JSON string.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalText sets the text; it returns [ErrRedacted] for the placeholder.
func (t *Text) UnmarshalText(b []byte) error { return t.set(string(b)) }

// UnmarshalJSON sets the text from a JSON string; null leaves it as it is. It returns [ErrRedacted] for the
// placeholder. Errors never quote the input.
func (t *Text) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errors.New("secret: want a JSON string")
	}
	return t.set(s)
}

func (t *Text) set(s string) error {
	if s == Redacted {
		return ErrRedacted
	}
	*t = New(s)
	return nil
}
