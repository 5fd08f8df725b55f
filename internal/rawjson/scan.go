package rawjson

// Limits that Options leaves open.
const (
	DefaultMaxDepth = 10_000 // as encoding/json has it
	DefaultMaxKeys  = 1 << 17
)

// Options are the limits of a Scan. The zero value is ready.
type Options struct {
	MaxDepth int // nesting of arrays and objects, the top level counted; 0: DefaultMaxDepth
	MaxKeys  int // members of the top-level object; 0: DefaultMaxKeys

	// Known are the top-level keys the caller reads, in lower-case ASCII. A case variant of one of them
	// ("MODEL", "ſtream") is refused even when it stands alone: an upstream that ignores case would read it.
	Known []string
}

const (
	msgObject  = "the body is not a JSON object"
	msgValue   = "expected a value"
	msgKey     = "expected a key"
	msgColon   = "expected ':'"
	msgCommaOb = "expected ',' or '}'"
	msgCommaAr = "expected ',' or ']'"
	msgString  = "invalid string"
	msgNumber  = "invalid number"
	msgLiteral = "invalid literal"
	msgDepth   = "JSON nested too deep"
	msgBOM     = "byte order mark before the object"
)

// Scan checks body in one pass and records its top-level members. It accepts exactly what RFC 8259 calls an
// object, white space around it included, but for: nesting or keys past the limits of o; a top-level key that
// equals another, or a known one but for case, once both are unescaped and folded as encoding/json folds
// them. Invalid UTF-8 and lone surrogates inside strings pass, as their bytes are kept; for comparing keys
// they count as U+FFFD.
//
// The error is an *Error. After an error the Doc is empty.
func (d *Doc) Scan(body []byte, o Options) error {
	if o.MaxDepth <= 0 {
		o.MaxDepth = DefaultMaxDepth
	}
	if o.MaxKeys <= 0 {
		o.MaxKeys = DefaultMaxKeys
	}
	d.reset(body)
	i, err := openBrace(body)
	if err == nil {
		d.open = i
		err = d.members(i+1, &o)
	}
	if err != nil {
		d.reset(nil)
		return err
	}
	return nil
}

// reset forgets the last body and keeps the memory for the next.
func (d *Doc) reset(body []byte) {
	d.body, d.open, d.n, d.more = body, 0, 0, d.more[:0]
}

// openBrace finds the brace that opens the top-level object.
func openBrace(b []byte) (int, *Error) {
	i := spaceEnd(b, 0)
	if i == len(b) {
		return 0, &Error{Kind: KindEmpty, Offset: i, Msg: "the body is empty"}
	}
	switch c := b[i]; {
	case c == '{':
		return i, nil
	case c == '[', c == '"', c == '-', c == 't', c == 'f', c == 'n', classes[c]&classDigit != 0:
		return 0, &Error{Kind: KindNotObject, Offset: i, Msg: msgObject}
	case len(b)-i >= 3 && string(b[i:i+3]) == "\uFEFF":
		return 0, syntaxError(b, i, msgBOM)
	}
	return 0, syntaxError(b, i, msgValue)
}

// members scans the members of the top-level object from after its brace to the end of the body.
func (d *Doc) members(i int, o *Options) *Error {
	b := d.body
	w := walker{max: o.MaxDepth - 1} // the top-level object is one level
	if i = spaceEnd(b, i); i < len(b) && b[i] == '}' {
		return trailing(b, i+1)
	}
	for {
		start := i
		if i = w.keyEnd(b, i); i < 0 {
			return w.fail(b, i)
		}
		m, err := d.addKey(start, i, o)
		if err != nil {
			return err
		}
		if i = w.colonEnd(b, i); i < 0 {
			return w.fail(b, i)
		}
		m.valStart = i
		if i = w.valueEnd(b, i); i < 0 {
			return w.fail(b, i)
		}
		m.valEnd = i
		switch i = spaceEnd(b, i); {
		case i < len(b) && b[i] == ',':
			i = spaceEnd(b, i+1)
		case i < len(b) && b[i] == '}':
			return trailing(b, i+1)
		default:
			return syntaxError(b, i, msgCommaOb)
		}
	}
}

// trailing refuses anything but white space from b[i] on.
func trailing(b []byte, i int) *Error {
	if i = spaceEnd(b, i); i < len(b) {
		return &Error{Kind: KindTrailing, Offset: i, Msg: "data after the JSON object"}
	}
	return nil
}

// walker checks values. Its methods give the index after what they checked, or the complement of the index of
// the byte that cannot stand, and then say in kind and msg what was wrong.
type walker struct {
	max   int   // how deep a value may nest
	block block // around the end of the last string
	kind  Kind
	msg   string
}

// refuse notes what is wrong with b[i].
func (w *walker) refuse(i int, msg string) int {
	w.kind, w.msg = KindSyntax, msg
	return ^i
}

// fail turns a negative index into the error it stands for.
func (w *walker) fail(b []byte, i int) *Error {
	if w.kind == KindDepth {
		return &Error{Kind: KindDepth, Offset: ^i, Msg: w.msg}
	}
	return syntaxError(b, ^i, w.msg)
}

// keyEnd checks the key at b[i].
func (w *walker) keyEnd(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return w.refuse(i, msgKey)
	}
	if i, w.block = w.block.stringEnd(b, i+1); i < 0 {
		return w.refuse(^i, msgString)
	}
	return i
}

// colonEnd checks the colon after a key and gives the index of the value.
func (w *walker) colonEnd(b []byte, i int) int {
	if i = spaceEnd(b, i); i >= len(b) || b[i] != ':' {
		return w.refuse(i, msgColon)
	}
	return spaceEnd(b, i+1)
}

// valueEnd checks the value at b[i].
func (w *walker) valueEnd(b []byte, i int) int {
	if i < len(b) && b[i]|0x20 == '{' {
		return w.containerEnd(b, i)
	}
	return w.scalarEnd(b, i)
}

// scalarEnd checks the string, number or literal at b[i].
func (w *walker) scalarEnd(b []byte, i int) int {
	if i >= len(b) {
		return w.refuse(i, msgValue)
	}
	msg := msgValue
	switch b[i] {
	case '"':
		i, w.block = w.block.stringEnd(b, i+1)
		msg = msgString
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		i, msg = numberEnd(b, i), msgNumber
	case 't', 'f', 'n':
		i, msg = literalEnd(b, i), msgLiteral
	default:
		i = ^i
	}
	if i < 0 {
		return w.refuse(^i, msg)
	}
	return i
}

// containerEnd checks the object or array that opens at b[i] with all that is in it. It keeps the kinds of
// the open containers as bits, one for an object: 64 levels in a register, older levels spilled to a slice
// that only leaves the stack past 256 levels. Each turn of the outer loop is one member or element.
//
// Keys and strings, the bulk of every body, are checked in here and not by keyEnd, colonEnd and scalarEnd,
// and the block is a local meanwhile: calls and memory would cost more than the bytes of most strings.
//
//nolint:cyclop,nestif // see above: split, it is slower
func (w *walker) containerEnd(b []byte, i int) int {
	var small [4]uint64
	open, spill, depth := uint64(0), small[:0], 0
	k := w.block
	for {
		if open&1 != 0 {
			if i >= len(b) || b[i] != '"' {
				return w.refuse(i, msgKey)
			}
			if end := k.quoteEnd(b, i+1); end > 0 {
				i = end
			} else if i, k = k.stringEnd(b, i+1); i < 0 {
				return w.refuse(^i, msgString)
			}
			if i = spaceEnd(b, i); i >= len(b) || b[i] != ':' {
				return w.refuse(i, msgColon)
			}
			i = spaceEnd(b, i+1)
		}
		if i < len(b) && b[i] == '"' {
			if end := k.quoteEnd(b, i+1); end > 0 {
				i = end
			} else if i, k = k.stringEnd(b, i+1); i < 0 {
				return w.refuse(^i, msgString)
			}
		} else if i < len(b) && b[i]|0x20 == '{' {
			if depth >= w.max {
				w.kind, w.msg = KindDepth, msgDepth
				return ^i
			}
			if depth&63 == 0 {
				spill = append(spill, open)
			}
			depth++
			open = open<<1 | uint64(b[i]>>5&1)
			if i = spaceEnd(b, i+1); i >= len(b) || b[i] != closer(open) {
				continue
			}
		} else if i = w.scalarEnd(b, i); i < 0 {
			return i
		}
		for i = spaceEnd(b, i); i >= len(b) || b[i] != ','; i = spaceEnd(b, i) {
			if i >= len(b) || b[i] != closer(open) {
				return w.refuse(i, missing(open))
			}
			i++
			depth--
			open >>= 1
			if depth&63 == 0 {
				open, spill = spill[len(spill)-1], spill[:len(spill)-1]
			}
			if depth == 0 {
				w.block = k
				return i
			}
		}
		i = spaceEnd(b, i+1)
	}
}

// closer is the byte that ends the innermost open container. In ASCII the brackets of an object are those of
// an array with bit 5 set.
func closer(open uint64) byte { return ']' | byte(open&1)<<5 }

// missing says what was expected after a member or an element of the innermost open container.
func missing(open uint64) string {
	if open&1 != 0 {
		return msgCommaOb
	}
	return msgCommaAr
}
