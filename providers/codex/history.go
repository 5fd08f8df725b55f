package codex

import "slices"

// maxResponses is how many responses of one connection can be gone on from.
const maxResponses = 256

// history is what a connection remembers of its responses. ChatGPT over HTTP does not go on from one, so each turn is
// sent the whole conversation.
type history struct {
	limit int64 // in bytes, of one conversation and of all
	byID  map[string]*past
	ids   []string // the oldest first
	size  int64    // of all that is held
}

// past is a conversation up to a response: the one before and what came after it.
type past struct {
	before *past
	items  [][]byte
	own    int64 // bytes of items
	total  int64 // with those of all before
	holds  int   // who has it: the history, and those that come after it
}

// find returns the conversation up to a response, or nil.
func (h *history) find(id string) *past { return h.byID[id] }

// add remembers a response by its id, as long as there is room for its conversation.
func (h *history) add(id string, before *past, items [][]byte) {
	p := &past{before: before, items: items, holds: 1}
	for _, item := range items {
		p.own += int64(len(item))
	}
	p.total = p.own
	if before != nil {
		p.total += before.total
	}
	if id == "" || p.total > h.limit {
		return
	}
	if h.byID == nil {
		h.byID = make(map[string]*past)
	}
	if before != nil {
		before.holds++
	}
	if h.byID[id] != nil {
		h.drop(slices.Index(h.ids, id))
	}
	h.byID[id], h.ids = p, append(h.ids, id)
	h.size += p.own
	for len(h.ids) > maxResponses || h.size > h.limit && len(h.ids) > 1 {
		h.drop(0)
	}
}

// drop forgets a response. What others go on from lives on with them.
func (h *history) drop(i int) {
	p := h.byID[h.ids[i]]
	delete(h.byID, h.ids[i])
	h.ids = slices.Delete(h.ids, i, i+1)
	for ; p != nil; p = p.before {
		if p.holds--; p.holds > 0 {
			return
		}
		h.size -= p.own
	}
}

// all are the items of a conversation, in their order. A nil past has none.
func (p *past) all() [][]byte {
	var parts [][][]byte
	for ; p != nil; p = p.before {
		parts = append(parts, p.items)
	}
	slices.Reverse(parts)
	return slices.Concat(parts...)
}
