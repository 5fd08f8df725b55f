package rawjson

// Walk goes through the items of one object or array that was scanned before. Unlike [Members] and [Elements] it can
// be told where a value ends by who has gone through that value already, so that a body of many levels is not read
// once for each of them.
//
//	w := rawjson.WalkObject(raw)
//	for w.Next() {
//		if string(w.Key) == `"inner"` {
//			inner := rawjson.WalkObject(w.Tail())
//			for inner.Next() { … }
//			w.Skip(inner.Len())
//		}
//	}
//
// Of anything but a valid value it gives some items or none.
type Walk struct {
	// Key is the raw key of a member, quotes included; nil in arrays.
	Key []byte

	raw        []byte
	open       byte
	start, end int // of the value; end is 0 while it is not known
	after      int // the index after the closing bracket; 0 before the end
	begun      bool
}

// WalkObject begins a walk through the object at the start of raw, which may go on after it.
func WalkObject(raw []byte) Walk { return Walk{raw: raw, open: '{'} }

// WalkArray begins a walk through the array at the start of raw, which may go on after it.
func WalkArray(raw []byte) Walk { return Walk{raw: raw, open: '['} }

// Next goes to the next item. It is false after the last.
func (w *Walk) Next() bool {
	if w.after > 0 {
		return false
	}
	i, more := w.item()
	if !more {
		w.after = max(i, 1)
		return false
	}
	if w.open == '{' {
		keyEnd := i
		if w.raw[i] == '"' {
			keyEnd = skipString(w.raw, i+1)
		}
		if keyEnd-i < 2 || w.raw[keyEnd-1] != '"' {
			return w.stop()
		}
		w.Key = w.raw[i:keyEnd:keyEnd]
		if i = spaceEnd(w.raw, keyEnd); i >= len(w.raw) || w.raw[i] != ':' {
			return w.stop()
		}
		i = spaceEnd(w.raw, i+1)
	}
	w.start, w.end = i, 0
	if i >= len(w.raw) {
		return w.stop()
	}
	return true
}

// item finds the start of the next item, or else the end of the walk.
func (w *Walk) item() (i int, more bool) {
	b := w.raw
	if !w.begun {
		w.begun = true
		if i = spaceEnd(b, 0); i >= len(b) || b[i] != w.open {
			return len(b), false
		}
		if i = spaceEnd(b, i+1); i >= len(b) || b[i] == w.open+2 { // the closing bracket of both kinds
			return min(i+1, len(b)), false
		}
		return i, true
	}
	if i = w.valueEnd(); i == w.start {
		return len(b), false
	}
	if i = spaceEnd(b, i); i >= len(b) || b[i] != ',' {
		return min(i+1, len(b)), false
	}
	i = spaceEnd(b, i+1)
	return i, i < len(b)
}

func (w *Walk) stop() bool {
	w.after = max(len(w.raw), 1)
	return false
}

func (w *Walk) valueEnd() int {
	if w.end == 0 {
		w.end = skip(w.raw, w.start)
	}
	return w.end
}

// Value gives the value of the item.
func (w *Walk) Value() []byte {
	end := w.valueEnd()
	return w.raw[w.start:end:end]
}

// Tail gives the value of the item with all that follows it.
func (w *Walk) Tail() []byte { return w.raw[w.start:] }

// Skip tells that the value of the item is the first n bytes of its Tail. Less than 1 tells nothing.
func (w *Walk) Skip(n int) {
	if n > 0 {
		w.end = min(w.start+n, len(w.raw))
	}
}

// Len is how long the object or array is, when Next has been false.
func (w *Walk) Len() int { return min(w.after, len(w.raw)) }
