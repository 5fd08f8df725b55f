// Package sse reads and writes server-sent events as the HTML standard defines the event stream format.
//
// [Reader] is made for a relay: every event comes with the exact bytes it took, so that a stream can be
// passed on unchanged, event by event, while type and data are looked at. It works on bytes, never decodes
// UTF-8, takes LF, CRLF and CR in any mixture however the stream is cut into reads, and costs time linear in
// the stream. [AppendEvent] and [AppendComment] write what a Reader, or any other parser, reads back as the
// same.
package sse

import "errors"

// DefaultMaxEvent is the limit on one event when NewReader is given none: images come as one event.
const DefaultMaxEvent = 32 << 20

// framing is what the raw bytes of an event may have beyond the limit, for field names, identifiers and line
// ends: an event whose data is exactly as long as the limit must pass.
const framing = 4 << 10

// ErrTooLarge means that an event exceeds the Reader's limit. The rest of the stream cannot be read, as where
// the event would end is not known.
var ErrTooLarge = errors.New("sse: event too large")

// Event is one block of a stream: the lines up to and including a blank one. Its slices belong to the Reader
// and are valid until the next call of Next or Reset.
type Event struct {
	Type    []byte // value of the last event field; nil if there is none
	Data    []byte // values of the data fields joined by LF
	ID      []byte // value of the last id field without a NUL; nil if there is none
	HasData bool   // there is a data field, be it empty; a block of comments or a lone blank line has none

	// Raw is exactly what the event took of the stream, comments, byte order mark and blank line included. All
	// Raw in a row give the stream. The LF of a CRLF that ended the block before and arrived late comes first.
	Raw []byte
}
