// Package errorcode reads codes of errors that are statuses of HTTP, as many servers that speak OpenAI's dialects write
// them into events of streams.
package errorcode

import (
	"net/http"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// Status is the status that the code of an error, in raw JSON, is: a number or its digits, from 400 to 599. It is 0 for
// other codes.
func Status(raw []byte) int {
	if text, ok := rawjson.String(raw); ok {
		raw = []byte(text)
	}
	n, ok := rawjson.Whole(raw)
	if !ok || n < http.StatusBadRequest || n > 599 {
		return 0
	}
	return int(n)
}
