package ccproxy

import (
	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// responsePlace is where a stream of the Responses API stands. Its clients count events and know the response by its
// id, so that an error which the proxy adds must go on from there.
type responsePlace struct {
	id   string
	next int64 // number of the next event
}

// note takes the number of an event, and the id from the first that has it.
func (p *responsePlace) note(data []byte) {
	if raw, ok := rawjson.Find(data, "sequence_number"); ok {
		if n, ok := rawjson.Int(raw); ok && n >= p.next {
			p.next = n + 1
		}
	}
	if p.id == "" {
		p.id, _ = jsonString(data, "response", "id")
	}
}

// at is an error at this place.
func (p *responsePlace) at(e adapters.ErrorInfo) adapters.ErrorInfo {
	e.ResponseID, e.Sequence = p.id, p.next
	return e
}
