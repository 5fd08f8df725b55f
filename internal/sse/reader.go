package sse

import (
	"errors"
	"io"
	"math"
)

const (
	firstBuffer  = 4 << 10  // most events are far smaller
	keptBuffer   = 64 << 10 // what Reset keeps; larger buffers served a rare event
	maxEmptyRead = 100      // reads in a row without bytes or error

	utf8BOM = "\xef\xbb\xbf"
)

var errBadCount = errors.New("sse: reader returned an impossible count")

// Reader reads the events of a stream. The zero value is ready for Reset and has the default limit. A Reader
// starts no goroutine, so it needs no closing, and is not safe for concurrent use.
type Reader struct {
	src io.Reader
	max int   // on the data of an event; 0: DefaultMaxEvent
	err error // from src, or ErrTooLarge; what is in buf is still delivered before an error of src

	buf   []byte // buf[start:end] is read and not yet delivered
	start int    // where the block being read begins
	line  int    // where the first line of it that is not parsed yet begins
	end   int

	seen seen // of the bytes before end

	afterCR bool // the last line ended with the last byte there was, a CR: an LF now belongs to it
	began   bool // the first line, which may have a byte order mark, is parsed
	block   block
	joined  []byte // data of an event that has several data lines
}

// block is what is known of the block being read. Places are relative to its start, as the buffer may move.
type block struct {
	whole    bool // the blank line was seen: the block is buf[start:line]
	fields   bool // there was a line that is no comment
	typ, id  span
	head     int  // length of the byte order mark
	data     span // value of the first data line
	lines    int  // data lines
	dataSize int  // length of the data joined
}

// span is a part of a block; the zero value stands for none, since no value can begin a block.
type span struct{ from, to int }

// of gives the bytes of the span in raw, nil for none.
func (s span) of(raw []byte) []byte {
	if s == (span{}) {
		return nil
	}
	return raw[s.from:s.to:s.to]
}

// NewReader makes a Reader of r that refuses events with more than maxEvent bytes of data, or with about as
// many in all. 0 means DefaultMaxEvent.
func NewReader(r io.Reader, maxEvent int) *Reader {
	return &Reader{src: r, max: maxEvent}
}

// Reset makes the Reader read another stream from its beginning, with the same limit. It keeps its buffer
// unless that has grown large.
func (r *Reader) Reset(src io.Reader) {
	buf, joined := r.buf, r.joined
	if cap(buf) > keptBuffer {
		buf = nil
	}
	if cap(joined) > keptBuffer {
		joined = nil
	}
	*r = Reader{src: src, max: r.max, buf: buf, joined: joined[:0]}
}

// Next gives the next block of the stream, whether it has data or not, as soon as its last byte is there.
//
// The error is io.EOF at the end of the stream, io.ErrUnexpectedEOF if the stream ends inside an event,
// ErrTooLarge for an event past the limit, io.ErrNoProgress if the source gives nothing time and again, or
// what the source returned. All whole events before the error come first; after it the error stays.
func (r *Reader) Next() (ev Event, err error) {
	for !r.parse() {
		if r.end-r.start > r.limit()+framing {
			r.err = ErrTooLarge
		}
		if r.err != nil {
			err = r.finish(&ev)
			return ev, err
		}
		r.fill()
	}
	err = r.deliver(&ev)
	return ev, err
}

// Buffered tells whether Next would return at once, without reading from the source: a whole event or an
// error is there. Part of an event is not enough, as waiting for the rest may take long: a relay flushes what
// it wrote whenever Buffered is false. Buffered leaves the last event valid.
func (r *Reader) Buffered() bool {
	return r.parse() || r.err != nil
}

// Rest gives the bytes that were read and not delivered: after an error, the event cut off. It is valid until
// the next call of Next or Reset.
func (r *Reader) Rest() []byte { return r.buf[r.start:r.end:r.end] }

// fill reads more of the stream once. A failure goes into r.err.
func (r *Reader) fill() {
	r.makeRoom()
	free := r.buf[r.end:]
	for range maxEmptyRead {
		n, err := r.src.Read(free)
		if n < 0 || n > len(free) {
			r.err = errBadCount
			return
		}
		r.end += n
		r.err = err
		if n > 0 || err != nil {
			return
		}
	}
	r.err = io.ErrNoProgress
}

// makeRoom sees to free space after buf[end]. The block being read moves at most once before the buffer
// doubles, so that the bytes moved stay in proportion to the bytes read.
func (r *Reader) makeRoom() {
	if r.end < len(r.buf) && r.start < r.end {
		return
	}
	to := r.buf
	if r.start == 0 && r.end == len(r.buf) {
		size := max(2*len(r.buf), firstBuffer)
		if limit := r.limit(); size >= limit {
			size = limit + framing + 1 // one byte more than an event may have, and no further step after it
		}
		to = make([]byte, size)
	}
	copy(to, r.buf[r.start:r.end])
	r.buf = to
	r.line -= r.start
	r.end -= r.start
	r.seen.lf -= r.start
	r.seen.cr -= r.start
	r.start = 0
}

// limit is the most data an event may have.
func (r *Reader) limit() int {
	if r.max <= 0 {
		return DefaultMaxEvent
	}
	return min(r.max, math.MaxInt/4)
}
