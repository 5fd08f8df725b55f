package ccproxy

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccproxy-go/ccproxy/adapters"
	"github.com/ccproxy-go/ccproxy/internal/sse"
)

// streamWriter writes to a client that may be slow, gone, or behind a writer that cannot flush. What is written of a
// stream is whole events, between which an attendant may write.
type streamWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration

	mu       sync.Mutex
	begun    time.Time     // what times are counted from: a full one costs twice as much to read
	deadline time.Duration // the write deadline that is set
	last     time.Duration // when the client was last sent something
	since    time.Duration // when the provider began to be waited for
	eventful time.Duration // when it began to be waited for an event
	ended    time.Duration // when the provider's stream had its terminal event; zero before
	part     atomic.Bool   // something has come since
	fresh    bool          // an event has come since
	awaited  bool          // the provider is waited for
	settled  bool          // nothing more happens by itself
	fixed    bool          // the host's writer has no deadlines
	blind    bool          // the host's writer cannot flush
	strict   bool          // a deadline that passes ends the stream even if nothing is being written: HTTP/2
	pending  bool          // something is not flushed
	writing  bool          // the host's writer is at work, or has panicked at it
	held     []byte        // comments that came before the first event
	timer    *time.Timer
}

func (t *relay) openWriter() {
	if t.out.w == nil {
		t.out.w, t.out.control = t.w, http.NewResponseController(t.w)
		t.out.timeout, t.out.strict = t.proxy.limits.WriteTimeout, t.ex.r.ProtoMajor > 1
	}
}

// now is the time. Whoever has not the lock may ask for it once the provider has been waited for.
func (s *streamWriter) now() time.Duration {
	if s.begun.IsZero() {
		s.begun = time.Now()
	}
	return time.Since(s.begun)
}

// extend moves the write deadline on, at most once a second since that is what it costs.
func (s *streamWriter) extend() {
	s.last = s.now()
	if s.fixed || s.deadline-s.last > s.timeout-min(time.Second, s.timeout/4) {
		return
	}
	s.deadline = s.last + s.timeout
	s.fixed = s.control.SetWriteDeadline(s.begun.Add(s.deadline)) != nil
}

// Write implements io.Writer for answers that are not streams.
func (s *streamWriter) Write(b []byte) (int, error) {
	s.extend()
	return s.writeAll(b)
}

// writeAll writes what the deadline was set for. A client gets that time for each piece of it.
func (s *streamWriter) writeAll(b []byte) (int, error) {
	if len(b) <= piece { // as nearly all events are
		return s.w.Write(b)
	}
	return writePieces(s.w, b, piece, func() error { s.extend(); return nil })
}

// piece is how much a client is written at most that has the time of one write for it.
const piece = 64 << 10

// writePieces writes b in pieces of at most size bytes. Before each but the first, next gives it time.
func writePieces(w io.Writer, b []byte, size int, next func() error) (written int, err error) {
	for len(b) > size {
		n, err := w.Write(b[:size])
		written += n
		if err != nil {
			return written, err
		}
		if err := next(); err != nil {
			return written, err
		}
		b = b[n:]
	}
	n, err := w.Write(b)
	return written + n, err
}

// write writes a whole event.
func (s *streamWriter) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaited, s.fresh = false, true
	return s.append(b)
}

// writeComment writes what is none.
func (s *streamWriter) writeComment(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaited = false
	return s.append(b)
}

// append is write for who has the lock.
func (s *streamWriter) append(b []byte) error {
	s.extend()
	s.pending, s.writing = true, true
	var err error
	if len(s.held) > 0 {
		held := s.held
		s.held = nil
		_, err = s.w.Write(held)
	}
	if err == nil {
		_, err = s.writeAll(b)
	}
	s.writing = false
	if err != nil {
		return errClientGone
	}
	return nil
}

// torn tells that the host's writer has panicked, so that nobody knows what is out.
func (s *streamWriter) torn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writing
}

// flush sends what is written. The provider is waited for from then on.
func (s *streamWriter) flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.send()
	s.wait()
	return err
}

// send is flush for who has the lock.
func (s *streamWriter) send() error {
	if !s.pending {
		return nil
	}
	s.pending = false
	s.extend()
	if !s.blind {
		s.writing = true
		err := s.control.Flush()
		s.writing = false
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return errClientGone
		}
	}
	s.rest()
	return nil
}

// await tells that the provider is waited for. again tells that it has sent an event before.
func (s *streamWriter) await(again bool) {
	s.mu.Lock()
	s.fresh = s.fresh || again
	s.wait()
	s.mu.Unlock()
}

// wait is await for who has the lock.
func (s *streamWriter) wait() {
	s.since, s.awaited = s.now(), true
	if s.part.Load() {
		s.part.Store(false)
	}
	if s.fresh {
		s.eventful, s.fresh = s.since, false
	}
}

// end notes that the provider has sent its terminal event: little is worth waiting for from then on.
func (s *streamWriter) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended > 0 {
		return
	}
	s.ended = max(s.now(), 1)
	if s.timer != nil && !s.settled {
		s.timer.Reset(afterEnd)
	}
}

// forget drops what was held back of an answer that has come to nothing: it is not to go before another's.
func (s *streamWriter) forget() {
	s.mu.Lock()
	s.held = nil
	s.mu.Unlock()
}

// rest takes the deadline back while the upstream is silent.
func (s *streamWriter) rest() {
	if !s.strict || s.fixed {
		return
	}
	s.deadline = 0
	s.fixed = s.control.SetWriteDeadline(time.Time{}) != nil
}

// sendError ends a stream with the error event of the client's format.
func (s *streamWriter) sendError(f adapters.Format, e adapters.ErrorInfo) {
	ev := adapters.EncodeStreamError(f, e)
	if s.write(sse.AppendEvent(nil, ev.Type, ev.Data)) == nil {
		_ = s.flush() // nobody is left to tell
	}
}
