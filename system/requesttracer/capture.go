package requesttracer

import (
	"bytes"
	"io"
	"sync"

	"github.com/ccproxy-go/ccproxy/internal/spool"
)

// capture keeps the beginning of a body. Its methods may be called concurrently: a body may be written to while the
// exchange is being ended.
type capture struct {
	max    int
	budget *spool.Budget

	mu    sync.Mutex
	kept  []byte
	taken int // of the budget
	size  int64
	over  bool
}

// Write takes the next piece. It never fails.
func (c *capture) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return len(b), nil
	}
	c.size += int64(len(b))
	room := c.max - len(c.kept)
	if int64(len(c.kept)+len(b)) < c.size {
		room = 0 // a gap must not look like text
	}
	if keep := b[:min(room, len(b))]; c.reserve(len(c.kept) + len(keep)) {
		c.kept = append(c.kept, keep...)
	}
	return len(b), nil
}

// reserve sees to it that the memory for n bytes is there, a good deal at a time.
func (c *capture) reserve(n int) bool {
	if n <= c.taken {
		return true
	}
	want := min(max(n, 2*c.taken, 4<<10), max(c.max, n))
	if !c.budget.Take(want - c.taken) {
		return false
	}
	c.taken = want
	grown := make([]byte, len(c.kept), want)
	copy(grown, c.kept)
	c.kept = grown
	return true
}

// seal ends the capture and returns what there is. The bytes are the caller's until release.
func (c *capture) seal() body {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	return body{kept: c.kept, size: c.size}
}

// release gives the memory back.
func (c *capture) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.budget.Return(c.taken)
	c.over, c.taken, c.kept = true, 0, nil
}

// body is what was kept of one.
type body struct {
	kept []byte
	size int64 // of all of it, as far as it was seen
	more bool  // there was more than size tells
}

func (b *body) truncated() bool { return b.more || int64(len(b.kept)) < b.size }

// whole returns what was kept up to the last line of a body that was cut off, so that no event is half there.
func (b *body) whole() []byte {
	if !b.truncated() {
		return b.kept
	}
	return b.kept[:bytes.LastIndexByte(b.kept, '\n')+1]
}

// tee is the body of a request that is kept as it is read.
type tee struct {
	io.ReadCloser

	into *capture
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if n > 0 {
		_, _ = t.into.Write(p[:n])
	}
	return n, err
}
