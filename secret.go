package ccproxy

import "github.com/ccproxy-go/ccproxy/internal/secret"

// Secret holds a string that must not be seen. Every way of printing or marshalling it, in whatever struct it
// stands, gives "[REDACTED]"; Reveal returns the string and Equal compares in constant time. It decodes from a
// plain string, so that configurations can hold it. The zero value is empty.
type Secret = secret.Text

// NewSecret returns a Secret that holds s.
func NewSecret(s string) Secret { return secret.New(s) }
