package codex

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func items(texts ...string) [][]byte {
	var list [][]byte
	for _, s := range texts {
		list = append(list, []byte(s))
	}
	return list
}

func TestHistoryGoesOn(t *testing.T) {
	t.Parallel()
	h := history{limit: 100}
	h.add("a", nil, items("1", "2"))
	h.add("b", h.find("a"), items("3"))
	h.add("c", h.find("a"), items("4")) // from the same response as b
	for id, want := range map[string][][]byte{"a": items("1", "2"), "b": items("1", "2", "3"), "c": items("1", "2", "4"), "d": nil} {
		if diff := cmp.Diff(want, h.find(id).all()); diff != "" {
			t.Errorf("%s mismatch (-want +got):\n%s", id, diff)
		}
	}
	h.add("b", nil, items("5")) // an id that comes again is the later one's
	if diff := cmp.Diff(items("5"), h.find("b").all()); diff != "" || len(h.ids) != 3 || h.size != 4 {
		t.Errorf("%v, %d bytes: %s", h.ids, h.size, diff)
	}
}

// A connection remembers no more than it may, whatever a client sends.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	h := history{limit: 1000}
	for i := range 1000 {
		h.add(fmt.Sprint("n", i), nil, items("x"))
	}
	if len(h.ids) != maxResponses || len(h.byID) != maxResponses || h.find("n999") == nil || h.find("n0") != nil {
		t.Errorf("%d responses are remembered", len(h.ids))
	}
	for i := range 50 {
		h.add(fmt.Sprint("large", i), nil, items(strings.Repeat("x", 400)))
	}
	if h.size > h.limit || len(h.ids) != 2 {
		t.Errorf("%d responses of %d bytes are remembered", len(h.ids), h.size)
	}
	h.add("too large", nil, items(strings.Repeat("x", 1001)))
	h.add("too long", h.find("large49"), items(strings.Repeat("x", 601)))
	if h.find("too large") != nil || h.find("too long") != nil || h.find("large49") == nil {
		t.Error("a conversation that is too large is remembered")
	}
	// What is forgotten lives on in what goes on from it.
	h.add("next", h.find("large49"), items("y"))
	h.add("other", nil, items(strings.Repeat("z", 999)))
	if h.find("large49") != nil || h.find("other") == nil {
		t.Errorf("remembered: %v", h.ids)
	}
}
