package ccproxy

import (
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/adapters/anthropic"
	"github.com/ccproxy-go/ccproxy/adapters/openai"
)

// codecs are the dialects that every proxy knows. What one of them decodes the others encode.
func codecs() []adapters.Codec {
	return []adapters.Codec{anthropic.Codec(), openai.Chat(), openai.Responses()}
}

// codecPairs are the pairs that have an adapter in every proxy.
func codecPairs() map[adapters.FormatPair]bool {
	pairs := make(map[adapters.FormatPair]bool)
	for _, from := range codecs() {
		for _, to := range codecs() {
			if from.Format() != to.Format() {
				pairs[adapters.FormatPair{From: from.Format(), To: to.Format()}] = true
			}
		}
	}
	return pairs
}
