package otel

import "strings"

const (
	// maxText is how long a text may be in a span, in bytes. Clients and upstreams choose many, and a collector refuses
	// a message that is too long with all spans that are in it.
	maxText = 1 << 10
	// maxLabel is the same for metrics, which hold on to what they are told.
	maxLabel = 128
)

// text makes a text that others have written fit for a span: a collector cannot be sent what is no UTF-8, nor whatever
// else is in the same message.
func text(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxText)], "?") }
