package lease

import (
	"context"
	"io"
	"net"
)

// Dialer makes the connections of dial write a body that is on loan without copying it: net/http copies through a
// buffer of 32 KiB that it allocates for each request.
func Dialer(
	dial func(ctx context.Context, network, addr string) (net.Conn, error),
) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &conn{c}, nil
	}
}

type conn struct{ net.Conn }

// ReadFrom is what net/http's transport writes bodies with.
func (c *conn) ReadFrom(src io.Reader) (int64, error) {
	if l, ok := src.(*io.LimitedReader); ok {
		if r, ok := l.R.(*Reader); ok {
			n, err := r.WriteAtMost(c.Conn, l.N)
			l.N -= n
			return n, err
		}
	}
	return io.Copy(c.Conn, src)
}
