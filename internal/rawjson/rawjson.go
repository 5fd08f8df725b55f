// Package rawjson checks a JSON request body in one pass and edits it without decoding it.
//
// A proxy has to know a handful of top-level values (model, stream, ...) and must forward everything else
// byte for byte. [Doc.Scan] therefore validates the whole body strictly, as one RFC 8259 object, and records
// where each top-level member lies; [Doc.Raw] reads a member and [Doc.Set] and [Doc.Delete] splice one.
// What two JSON parsers could read differently is refused: a key given twice, or given again in another
// case, means one value to a parser that keeps the first and another to one that keeps the last or ignores
// case.
//
// [Find], [Elements] and [Members] walk inside a value that was scanned before; [String], [Int] and [Bool]
// decode single tokens; [AppendString] writes one. They never panic, whatever bytes they are given.
package rawjson

import "iter"

// inlineMembers is how many top-level members a Doc holds without allocating. Chat requests have 5 to 20.
const inlineMembers = 24

// member is one top-level member: the quotes of its key and the bounds of its value.
type member struct {
	keyStart, keyEnd int // the key token, quotes included
	valStart, valEnd int
	sig              uint64 // sums up the folded key, see Doc.signature
	plain            bool   // the key has neither escapes nor characters that folding would change
}

// Doc is the result of one Scan. The zero value is ready, and a Doc may be scanned into again and again; it
// keeps no more memory than the largest body's table of members needed. A Doc refers to the body it scanned,
// which must not change while the Doc is in use. A Doc must not be used by two goroutines while one scans.
type Doc struct {
	body   []byte
	open   int // offset of the opening brace
	n      int
	inline [inlineMembers]member
	more   []member // members beyond the inline ones
	keys   keyTable
}

// at gives member i, which must be below d.n.
func (d *Doc) at(i int) *member {
	if i < inlineMembers {
		return &d.inline[i]
	}
	return &d.more[i-inlineMembers]
}

// add makes room for one more member and gives it, zeroed.
func (d *Doc) add() *member {
	i := d.n
	d.n++
	if i < inlineMembers {
		d.inline[i] = member{}
		return &d.inline[i]
	}
	d.more = append(d.more, member{})
	return &d.more[len(d.more)-1]
}

// Len is the number of top-level members.
func (d *Doc) Len() int { return d.n }

// Raw gives the bytes of the value of a top-level key, without the space around it. The key is compared
// unescaped and exactly. The slice is part of the body: it must not be changed, and appending to it copies.
func (d *Doc) Raw(key string) ([]byte, bool) {
	i := d.index(key)
	if i < 0 {
		return nil, false
	}
	m := d.at(i)
	return d.body[m.valStart:m.valEnd:m.valEnd], true
}

// Keys yields the top-level keys, unescaped, in the order of the body.
func (d *Doc) Keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range d.n {
			m := d.at(i)
			key := d.token(m)
			if !m.plain {
				key = appendUnescaped(nil, key)
			}
			if !yield(string(key)) {
				return
			}
		}
	}
}

// Describes tells whether the Doc was made from this very slice.
func (d *Doc) Describes(body []byte) bool {
	return len(body) > 0 && len(body) == len(d.body) && &body[0] == &d.body[0]
}

// Members yields the top-level members as [Members] does, without looking for their ends again.
func (d *Doc) Members() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := range d.n {
			m := d.at(i)
			if !yield(d.body[m.keyStart:m.keyEnd:m.keyEnd], d.body[m.valStart:m.valEnd:m.valEnd]) {
				return
			}
		}
	}
}

// Set gives a new body in which the value of key is raw. The old value is replaced in its place and every
// other byte is kept. A key that the body does not have becomes the first member. raw must be one valid JSON
// value; Set does not check it. The Doc goes on describing the old body: scan the new one to edit again.
func (d *Doc) Set(key string, raw []byte) []byte {
	if i := d.index(key); i >= 0 {
		m := d.at(i)
		return splice(d.body, m.valStart, m.valEnd, raw)
	}
	if d.body == nil {
		return nil
	}
	ins := make([]byte, 0, len(key)+len(raw)+4)
	ins = AppendString(ins, key)
	ins = append(ins, ':')
	ins = append(ins, raw...)
	if d.n > 0 {
		ins = append(ins, ',')
	}
	return splice(d.body, d.open+1, d.open+1, ins)
}

// Delete gives a new body without the member key, its comma and the space that belongs to it. If the body has
// no such key, Delete gives the scanned body itself.
func (d *Doc) Delete(key string) []byte {
	i := d.index(key)
	if i < 0 {
		return d.body
	}
	m := d.at(i)
	from, to := m.keyStart, m.valEnd
	switch {
	case i+1 < d.n:
		to = d.at(i + 1).keyStart
	case i > 0:
		from = d.at(i - 1).valEnd
	}
	return splice(d.body, from, to, nil)
}

// index finds the member whose unescaped key is key, or -1.
func (d *Doc) index(key string) int {
	for i := range d.n {
		m := d.at(i)
		token := d.token(m)
		if m.plain && string(token) == key || !m.plain && equalUnescaped(token, key) {
			return i
		}
	}
	return -1
}

// splice copies b with b[from:to] replaced by ins.
func splice(b []byte, from, to int, ins []byte) []byte {
	out := make([]byte, 0, len(b)-(to-from)+len(ins))
	out = append(out, b[:from]...)
	out = append(out, ins...)
	return append(out, b[to:]...)
}
