package ccproxy

import (
	"context"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// callBody is the body of a request in the same process. It ends with the request's context, and has a deadline as that
// of a connection has: closing it is what ends a read that waits.
type callBody struct {
	io.ReadCloser

	once   sync.Once
	forget func() bool // the end of the context
	late   atomic.Bool // the deadline has passed

	mu    sync.Mutex
	timer *time.Timer // nil without a deadline
}

func newCallBody(ctx context.Context, body io.ReadCloser) *callBody {
	b := &callBody{ReadCloser: body}
	b.forget = context.AfterFunc(ctx, b.end)
	return b
}

// Read implements io.Reader.
func (b *callBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && b.late.Load() {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// Close implements io.Closer.
func (b *callBody) Close() error {
	b.forget()
	b.setDeadline(time.Time{})
	b.end()
	return nil
}

func (b *callBody) end() {
	b.once.Do(func() { _ = b.ReadCloser.Close() }) // nobody to tell
}

// setDeadline bounds all reads, for good once it has passed. The zero time is none.
func (b *callBody) setDeadline(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	if !at.IsZero() {
		b.timer = time.AfterFunc(time.Until(at), func() {
			b.late.Store(true)
			b.end()
		})
	}
}
