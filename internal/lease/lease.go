// Package lease lends out buffers for request bodies and takes them back when nobody reads them any more.
//
// Most of what a proxy allocates for a large request is its body. It cannot simply be reused when the request ends:
// net/http's transport may still be reading from it then. A [Buffer] therefore counts who uses it.
package lease

import (
	"context"
	"errors"
	"io"
	"sync"
)

// The sizes of buffers that are kept; larger ones are left to the garbage collector.
const (
	smallest = 4 << 10
	classes  = 10 // up to 2 MiB
)

// Pool lends buffers. The zero value is ready; its methods may be called concurrently.
type Pool struct {
	free [classes]sync.Pool
}

// Get returns an empty buffer with room for size bytes, which the caller holds until [Buffer.Release].
func (p *Pool) Get(size int) *Buffer {
	c := class(size)
	if c < classes {
		if b, ok := p.free[c].Get().(*Buffer); ok {
			b.mu.Lock()
			b.holders, b.claimed, b.B = 1, false, b.B[:0]
			b.term++
			b.mu.Unlock()
			return b
		}
		size = smallest << c
	}
	return &Buffer{B: make([]byte, 0, size), pool: p, class: c, holders: 1}
}

// class returns the smallest class with room for size bytes, or classes.
func class(size int) int {
	c := 0
	for c < classes && smallest<<c < size {
		c++
	}
	return c
}

// Buffer is a request body on loan.
type Buffer struct {
	// B may be changed by the first holder only, before anybody else has the buffer.
	B []byte

	pool  *Pool
	class int

	mu      sync.Mutex
	holders int
	claimed bool
	term    uint64 // counts how often it was lent
}

// Grow makes room for more, at the end of B. It is for the first holder, before anybody else has the buffer.
func (b *Buffer) Grow() {
	next := b.pool.Get(2 * cap(b.B))
	next.B = append(next.B, b.B...)
	b.B, next.B = next.B, b.B
	b.class, next.class = next.class, b.class
	next.Claim()
	next.Release() // with what was too small
}

// Adopt puts b in the place of B: what appending to B has come to. It is for the first holder, before anybody else has
// the buffer.
func (b *Buffer) Adopt(data []byte) {
	b.B = data
	b.class = class(cap(data)+1) - 1 // the largest that it has room for
	if b.class < 0 || cap(data) > smallest<<(classes-1) {
		b.class = classes
	}
}

// Claim promises that whoever got hold of B until now keeps nothing of it beyond the readers that the returned
// function opens. Without it the buffer is not used again. The function may be called at any time: when the buffer
// has been given back meanwhile, and perhaps lent to somebody else, it fails with [ErrReturned].
func (b *Buffer) Claim() func() (*Reader, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.claimed = true
	term := b.term
	return func() (*Reader, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.holders == 0 || b.term != term {
			return nil, ErrReturned
		}
		b.holders++
		return &Reader{buf: b}, nil
	}
}

// ErrReturned tells that a body is not to be had any more.
var ErrReturned = errors.New("request body was given back")

// Release ends one holder's use.
func (b *Buffer) Release() {
	b.mu.Lock()
	b.holders--
	back := b.holders == 0 && b.claimed && b.class < classes
	b.mu.Unlock()
	if back {
		b.pool.free[b.class].Put(b)
	}
}

// Reader reads a buffer, which it holds until it is closed. Close may be called while another method runs, as net/http
// does.
type Reader struct {
	buf *Buffer

	mu     sync.Mutex
	off    int
	busy   bool // a read or write is using the bytes
	closed bool
}

// begin returns the bytes that are left; ok is false when there are none, or the reader is closed.
func (r *Reader) begin() (rest []byte, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.busy || r.off >= len(r.buf.B) {
		return nil, false
	}
	r.busy = true
	return r.buf.B[r.off:], true
}

func (r *Reader) end(n int) {
	r.mu.Lock()
	r.off += n
	r.busy = false
	free := r.closed
	r.mu.Unlock()
	if free {
		r.buf.Release()
	}
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	rest, ok := r.begin()
	if !ok {
		return 0, io.EOF
	}
	n := copy(p, rest)
	r.end(n)
	return n, nil
}

// WriteAtMost writes up to limit of the bytes that are left with one call of w.Write.
func (r *Reader) WriteAtMost(w io.Writer, limit int64) (int64, error) {
	rest, ok := r.begin()
	if !ok {
		return 0, nil
	}
	n, err := w.Write(rest[:min(int64(len(rest)), limit)])
	r.end(n)
	return int64(n), err
}

// Close implements io.Closer. The buffer is let go when no read or write is under way any more.
func (r *Reader) Close() error {
	r.mu.Lock()
	free := !r.closed && !r.busy
	r.closed = true
	r.mu.Unlock()
	if free {
		r.buf.Release()
	}
	return nil
}

type key struct{}

// With returns a context that carries the buffer of a request.
func With(ctx context.Context, b *Buffer) context.Context { return context.WithValue(ctx, key{}, b) }

// From returns the buffer of a request whose body is body, or nil.
func From(ctx context.Context, body []byte) *Buffer {
	b, ok := ctx.Value(key{}).(*Buffer)
	if !ok || b == nil || len(body) == 0 || len(b.B) != len(body) || &b.B[0] != &body[0] {
		return nil
	}
	return b
}
