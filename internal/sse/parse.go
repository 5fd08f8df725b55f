package sse

import (
	"bytes"
	"io"
	"slices"
)

// seen remembers how far the line ends of a growing text were searched: no LF lies between the current line's
// start and lf, no CR before cr. What was searched is not searched again, however small the reads and
// whatever the text ends its lines with.
type seen struct{ lf, cr int }

// lineEnd gives the index of the LF or CR that ends the line that starts at b[line], or the length of b.
func (s *seen) lineEnd(b []byte, line int) int {
	lf, cr := max(s.lf, line), max(s.cr, line)
	if lf < len(b) && b[lf] != '\n' {
		lf = seek(b, lf, '\n')
	}
	if cr < len(b) && b[cr] != '\r' {
		cr = seek(b, cr, '\r')
	}
	s.lf, s.cr = lf, cr
	return min(lf, cr)
}

// seek gives the index of the first c at or after b[from], or the length of b.
func seek(b []byte, from int, c byte) int {
	if n := bytes.IndexByte(b[from:], c); n >= 0 {
		return from + n
	}
	return len(b)
}

// parse goes on until the current block is whole, or until the bytes read so far are used up. It moves
// nothing.
func (r *Reader) parse() bool {
	for !r.block.whole {
		if r.afterCR && r.line < r.end {
			r.afterCR = false
			if r.buf[r.line] == '\n' {
				r.line++
			}
		}
		read := r.buf[:r.end]
		stop := r.seen.lineEnd(read, r.line)
		if stop == len(read) {
			return false
		}
		r.parseLine(read[r.line:stop])
		r.line = stop + 1
		if read[stop] == '\r' {
			r.afterCR = r.line == len(read)
			if !r.afterCR && read[r.line] == '\n' {
				r.line++
			}
		}
	}
	return true
}

// parseLine notes what a line, which begins at r.line, says about the block.
func (r *Reader) parseLine(line []byte) {
	b, at := &r.block, r.line-r.start
	if !r.began {
		r.began = true
		if bytes.HasPrefix(line, []byte(utf8BOM)) {
			b.head = len(utf8BOM)
			line, at = line[b.head:], at+b.head
		}
	}
	if len(line) == 0 {
		b.whole = true
		return
	}
	if line[0] == ':' {
		return
	}
	b.fields = true
	place := func(from int) span { return span{at + from, at + len(line)} }
	if from := value(line, "data"); from >= 0 {
		if b.lines == 0 {
			b.data = place(from)
		} else {
			b.dataSize++ // the LF between
		}
		b.lines++
		b.dataSize += len(line) - from
	} else if from := value(line, "event"); from >= 0 {
		b.typ = place(from)
	} else if from := value(line, "id"); from >= 0 && bytes.IndexByte(line, 0) < 0 {
		b.id = place(from)
	}
}

// value gives the index in line of the value of the field name, or -1 if the line has another field.
func value(line []byte, name string) int {
	n := len(name)
	switch {
	case len(line) < n || string(line[:n]) != name:
		return -1
	case len(line) == n:
		return n // a name alone has an empty value
	case line[n] != ':':
		return -1
	case len(line) > n+1 && line[n+1] == ' ':
		return n + 2
	}
	return n + 1
}

// deliver makes an event of the whole block and begins the next one.
func (r *Reader) deliver(ev *Event) error {
	raw, b := r.buf[r.start:r.line:r.line], &r.block
	if limit := r.limit(); b.dataSize > limit || len(raw) > limit+framing {
		r.err = ErrTooLarge
		return r.err
	}
	ev.Type, ev.Data, ev.ID = b.typ.of(raw), b.data.of(raw), b.id.of(raw)
	ev.HasData, ev.Raw = b.lines > 0, raw
	if b.lines > 1 {
		ev.Data = r.join(raw)
	}
	r.start, r.block = r.line, block{}
	return nil
}

// join gives the data of a block with several data lines.
func (r *Reader) join(raw []byte) []byte {
	r.joined = slices.Grow(r.joined[:0], r.block.dataSize)
	var seen seen
	for line, first := r.block.head, true; line < len(raw); {
		stop := seen.lineEnd(raw, line)
		if from := value(raw[line:stop], "data"); from >= 0 {
			if !first {
				r.joined = append(r.joined, '\n')
			}
			first = false
			r.joined = append(r.joined, raw[line+from:stop]...)
		}
		line = stop + 1 // the LF of a CRLF makes an empty line, which has no field
	}
	return r.joined
}

// finish says how the stream ended, once no whole block is left.
func (r *Reader) finish(ev *Event) error {
	rest := r.Rest()
	if r.err != io.EOF || len(rest) == 0 { //nolint:errorlint // readers must return io.EOF itself
		return r.err
	}
	if r.line == r.end && !r.block.fields || !r.began && string(rest) == utf8BOM {
		r.start, r.line, r.block = r.end, r.end, block{}
		ev.Raw = rest
		return nil
	}
	r.err = io.ErrUnexpectedEOF
	return r.err
}
