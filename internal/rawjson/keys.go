package rawjson

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// addKey records the key token b[start:end] as the next member, unless it clashes with an earlier or a known
// key or is one too many.
func (d *Doc) addKey(start, end int, o *Options) (*member, *Error) {
	if d.n >= o.MaxKeys {
		return nil, &Error{Kind: KindKeys, Offset: start, Msg: "too many top-level keys"}
	}
	if d.n == inlineMembers {
		d.keys.build(d)
	}
	var scratch [64]byte
	token := d.body[start+1 : end-1]
	folded, plain := token, isPlain(token)
	if !plain {
		folded = appendFolded(scratch[:0], token)
		if isVariant(token, folded, o.Known) {
			return nil, keyError(KindCase, start, token, "a known key")
		}
	}
	sig := d.signature(folded)
	if i := d.find(sig, folded); i >= 0 {
		return nil, d.clash(d.at(i), start, token)
	}
	m := d.add()
	m.keyStart, m.keyEnd, m.sig, m.plain = start, end, sig, plain
	if d.n > inlineMembers {
		d.keys.insert(d, d.n-1)
	}
	return m, nil
}

// isPlain tells whether a key is its own folded form: ASCII without escapes and upper-case letters.
func isPlain(token []byte) bool {
	var all uint8
	for _, c := range token {
		all |= classes[c]
	}
	return all&classFolds == 0
}

// isVariant tells whether the key token, which folds to folded, equals one of known but for case.
func isVariant(token, folded []byte, known []string) bool {
	for _, k := range known {
		if string(folded) == k {
			return !equalUnescaped(token, k)
		}
	}
	return false
}

// signature sums a folded key up so that different keys seldom compare equal: by its first bytes while the
// keys are few, then by a seeded hash, against which nobody can prepare colliding keys.
func (d *Doc) signature(folded []byte) uint64 {
	if d.n >= inlineMembers {
		return maphash.Bytes(d.keys.seed, folded)
	}
	if len(folded) >= 8 {
		return binary.LittleEndian.Uint64(folded)
	}
	var sig uint64
	for i, c := range folded {
		sig |= uint64(c) << (8 * i)
	}
	return sig
}

// find gives the index of the member whose key folds to folded, or -1.
func (d *Doc) find(sig uint64, folded []byte) int {
	if d.n >= inlineMembers {
		return d.keys.find(d, sig, folded)
	}
	for i := range d.n {
		if m := &d.inline[i]; m.sig == sig && d.foldsTo(m, folded) {
			return i
		}
	}
	return -1
}

// foldsTo tells whether the key of m folds to folded.
func (d *Doc) foldsTo(m *member, folded []byte) bool {
	token := d.token(m)
	if m.plain {
		return bytes.Equal(token, folded)
	}
	var scratch [64]byte
	return bytes.Equal(appendFolded(scratch[:0], token), folded)
}

// clash makes the error for the key token at start, which folds as that of m does.
func (d *Doc) clash(m *member, start int, token []byte) *Error {
	if bytes.Equal(appendUnescaped(nil, d.token(m)), appendUnescaped(nil, token)) {
		return keyError(KindDuplicate, start, token, "")
	}
	return keyError(KindCase, start, token, "another key")
}

// token gives the key of m as it stands between the quotes.
func (d *Doc) token(m *member) []byte { return d.body[m.keyStart+1 : m.keyEnd-1] }

// keyTable finds keys by hash once they are too many to compare one by one. It is open addressing with linear
// probing, at most half full. The members keep the hashes.
type keyTable struct {
	seed   maphash.Seed
	seeded bool
	slots  []uint32 // index of the member plus one; 0: free
}

// build enters the inline members, whose signatures it turns into hashes.
func (t *keyTable) build(d *Doc) {
	if !t.seeded {
		t.seed, t.seeded = maphash.MakeSeed(), true
	}
	t.resize(4 * inlineMembers)
	for i := range d.n {
		m := d.at(i)
		var scratch [64]byte
		m.sig = maphash.Bytes(t.seed, appendFolded(scratch[:0], d.token(m)))
		t.insert(d, i)
	}
}

// insert enters member i, which find has just missed.
func (t *keyTable) insert(d *Doc, i int) {
	if 2*i >= len(t.slots) {
		t.resize(2 * len(t.slots))
		for k := range i {
			t.insert(d, k)
		}
	}
	at := d.at(i).sig % uint64(len(t.slots))
	for t.slots[at] != 0 {
		at = (at + 1) % uint64(len(t.slots))
	}
	t.slots[at] = uint32(i) + 1 //nolint:gosec // Options.MaxKeys keeps members far below 2^32
}

// resize empties the table and gives it n slots.
func (t *keyTable) resize(n int) {
	if cap(t.slots) < n {
		t.slots = make([]uint32, n)
		return
	}
	t.slots = t.slots[:n]
	clear(t.slots)
}

// find gives the index of the member whose key folds to folded, or -1.
func (t *keyTable) find(d *Doc, sig uint64, folded []byte) int {
	at := sig % uint64(len(t.slots))
	for t.slots[at] != 0 {
		i := int(t.slots[at] - 1)
		if m := d.at(i); m.sig == sig && d.foldsTo(m, folded) {
			return i
		}
		at = (at + 1) % uint64(len(t.slots))
	}
	return -1
}
