package hooks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestQueueGivesWay plays a script against a queue of three places. "c" is a chunk, any other letter an
// event of another kind; "-" takes one out. An event's weight follows it as "*", each for a quarter of the
// queue's bytes.
func TestQueueGivesWay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		script  string
		want    string // what comes out, from the first "-" on to the last event
		dropped int
	}{
		{"order is kept between kinds", "a c1 b", "a c1 b", 0},
		{"an incoming chunk gives way", "a b d c1", "a b d", 1},
		{"an incoming chunk gives way to chunks", "c1 c2 c3 c4", "c1 c2 c3", 1},
		{"the oldest chunk gives way", "c1 a c2 b", "a c2 b", 1},
		{"then the oldest event", "a b d e", "b d e", 1},
		{"chunks before events", "a c1 c2 b d", "a b d", 2},
		{"no place is lost", "a b d - e", "a b d e", 0},
		{"around the ring", "a - b - d - e - f - g h i", "a b d e f g h i", 0},
		{"bytes: chunks give way", "c1** c2* a**", "c2* a**", 1},
		{"bytes: an incoming chunk gives way", "a*** c1**", "a***", 1},
		{"bytes: a heavy event is not let in over others", "a*** b**", "a***", 1},
		{"bytes: light events do not care", "a**** b d", "a**** b d", 0},
		{"bytes: heavier than the queue, but alone", "a b*****", "a b*****", 0},
		{"bytes are given back", "a**** - b****", "a**** b****", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := queue{limit: 3}
			var out []string
			take := func() bool {
				if q.len() == 0 {
					return false
				}
				var hc Context
				q.pop(&hc)
				out = append(out, hc.RequestID)
				return true
			}
			var dropped int
			for word := range strings.FieldsSeq(tt.script) {
				if word == "-" {
					take()
					continue
				}
				dropped += offerTo(&q, word)
			}
			for take() {
			}
			if diff := cmp.Diff(strings.Fields(tt.want), out); diff != "" || dropped != tt.dropped {
				t.Errorf("dropped %d, want %d; out (-want +got):\n%s", dropped, tt.dropped, diff)
			}
			if q.bytes != 0 || q.len() != 0 {
				t.Errorf("empty queue counts %d bytes, %d events", q.bytes, q.len())
			}
		})
	}
}

func offerTo(q *queue, word string) (dropped int) {
	e := EventRequestStarted
	if word[0] == 'c' {
		e = EventProviderStreamChunk
	}
	weight := strings.Count(word, "*") * maxQueueBytes / 4
	ok, dropped := q.makeRoom(e, weight)
	if !ok {
		return dropped + 1
	}
	q.push(item{hc: Context{Event: e, RequestID: word}, weight: weight})
	return dropped
}

func TestQueueReleasesMemoryOfABurst(t *testing.T) {
	t.Parallel()
	q := queue{limit: defaultQueue}
	for range defaultQueue {
		offerTo(&q, "a")
	}
	for q.len() > 0 {
		q.pop(new(Context))
	}
	q.release()
	if n := len(q.others.items); n > keepSlots {
		t.Errorf("empty queue keeps %d slots", n)
	}
}
