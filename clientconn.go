package ccproxy

import (
	"context"
	"net"
	"net/http"
)

// sendBuffer is what the system may hold of answers that a client has not taken. It would be some MiB for each
// connection otherwise, which is much when hundreds of clients take nothing.
const sendBuffer = 256 << 10

type connKey struct{}

// withConn bounds what the system holds for a connection, and lets exchanges find it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if outer, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = outer.NetConn()
	}
	conn, ok := c.(*net.TCPConn)
	if !ok {
		return ctx
	}
	_ = conn.SetWriteBuffer(sendBuffer) // without it the connection is as good, only larger
	return context.WithValue(ctx, connKey{}, conn)
}

// clientConn is the connection on which an answer goes out, as far as a client that takes nothing of it is concerned:
// after an ordinary close the system would keep what was written for it for minutes. net/http closes a connection the
// moment a write fails, so it has to be prepared before.
type clientConn struct {
	tcp    *net.TCPConn // that forgets what was not sent when it is closed; nil for none
	seen   bool
	failed bool // nothing can be written any more
}

// watch prepares the connection for a client that may stop to take anything: one whose answer, with what is about to be
// written, is larger than the system's buffer. Over HTTP/2 other requests may do well on the same connection.
func (c *clientConn) watch(r *http.Request, written int64) {
	if c.seen || written <= sendBuffer {
		return
	}
	c.seen = true
	tcp, ok := r.Context().Value(connKey{}).(*net.TCPConn)
	if ok && r.ProtoMajor == 1 && tcp.SetLinger(0) == nil {
		c.tcp = tcp
	}
}

// release makes the connection an ordinary one, at the end of an answer. One that was written to in vain stays.
func (c *clientConn) release() {
	if c.tcp != nil && !c.failed {
		_ = c.tcp.SetLinger(-1) // it could be set, so it can be taken back
	}
}
