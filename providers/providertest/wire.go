package providertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
)

// Wire answers with exactly the bytes that parts write, head and all, and closes the connection: what no server
// library would send. [Reset] ends it with a reset. It needs HTTP/1; over HTTP/2 the stream is reset.
func Wire(parts ...Part) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		exchangeOf(r).ended = true
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer conn.Close() // the fault is over
		ctx, leave := watch(r.Context(), conn)
		defer leave()
		for _, part := range parts {
			if err = part(ctx, conn); err != nil {
				break
			}
		}
		if linger, ok := conn.(interface{ SetLinger(sec int) error }); ok && errors.Is(err, errReset) {
			_ = linger.SetLinger(0) // the close that follows is what counts
		}
	}
}

// watch returns a context that ends when the client closes a connection that the server no longer reads.
func watch(parent context.Context, conn net.Conn) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, bufio.NewReader(conn)) // a client has nothing more to say
		cancel()
	}()
	return ctx, func() {
		_ = conn.Close() // which ends the read
		<-done
		cancel()
	}
}

// chunk is one piece of a chunked body on the wire.
func chunk(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%x\r\n%s\r\n", len(s), s)
}

// chunked is a whole chunked body on the wire.
func chunked(s string) string { return chunk(s) + "0\r\n\r\n" }

// streamHead is the head of a stream on the wire, up to the fields that are the fault's own.
const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nRequest-Id: req_wire\r\n"

// chunkedHead is a whole head of a chunked stream on the wire.
const chunkedHead = streamHead + "Transfer-Encoding: chunked\r\n\r\n"

// onWire is a chunked stream on the wire up to the phase, then tail as it stands.
func (s scene) onWire(tail ...Part) Reply {
	return Wire(append([]Part{Bytes(chunkedHead), Bytes(chunk(s.before()))}, tail...)...)
}

// endless writes until the client hangs up.
func endless(s string) Part {
	return func(_ context.Context, w io.Writer) error {
		block := make([]byte, 0, 32<<10)
		for len(block)+len(s) <= cap(block) {
			block = append(block, s...)
		}
		for {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
	}
}

// goAway is the HTTP/2 frame by which a server says that it will close the connection because of an internal error,
// and that it may have begun with every request it was sent.
const goAway = "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x7f\xff\xff\xff" + "\x00\x00\x00\x02"

type connKey struct{}

// pause lets a second pass.
func pause(ctx context.Context, _ io.Writer) error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// goAwayAfter streams parts over HTTP/2 and, a second later, says goodbye and closes the connection: clients forget
// what they have not read by then. Over HTTP/1 it is a [Cut].
func goAwayAfter(early bool, parts ...Part) Reply {
	return func(w http.ResponseWriter, r *http.Request) {
		ex := exchangeOf(r)
		if early {
			runParts(w, r, append(slices.Clip(parts), pause))
		}
		ex.ended = true
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok && r.ProtoMajor > 1 {
			_, _ = io.WriteString(conn, goAway) // a client that has left needs no fault
			_ = conn.Close()
		}
		panic(http.ErrAbortHandler)
	}
}
