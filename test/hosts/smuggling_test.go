package hosts

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// hidden is what comes after a request, or in it, and must be no part of what the upstream is sent. It is longer than a
// body, so that no server waits for more.
const (
	hidden   = smuggled + smuggled
	smuggled = "GET /smuggled HTTP/1.1\r\nHost: p\r\nX-Smuggled: 1\r\nConnection: close\r\n\r\n"
)

// framings are headers that claim two lengths for one body, or one in a form that servers read differently.
func framings() []string {
	n := len(wholeBody)
	length := fmt.Sprintf("Content-Length: %d\r\n", n)
	var out []string
	for _, te := range []string{
		"chunked", " chunked", "chunked ", "Chunked", "\tchunked", "chunked\t", "chunked, chunked", "identity, chunked",
		"chunked, identity", "gzip, chunked", "xchunked", "chunked;q=1", "\"chunked\"", "chun ked", "chunked\x00", "chunked\x0b",
		"", ",chunked", "chunked,", "identity",
	} {
		out = append(out, length+"Transfer-Encoding: "+te+"\r\n")
	}
	for _, name := range []string{
		"Transfer-Encoding ", " Transfer-Encoding", "Transfer-Encoding\t", "Transfer_Encoding", "Transfer-Encoding\x00",
		"X: y\nTransfer-Encoding", "X: y\rTransfer-Encoding", "Transfer-Encoding:", "X:\r\n Transfer-Encoding",
	} {
		out = append(out, length+name+": chunked\r\n")
	}
	for _, value := range []string{
		"+%d", "-%d", "%d ", " %d", "%d,%[1]d", "%d, 0", "0x%d", "%d.0", "%d\x00", "%de0", "0%d", "%d\r\nContent-Length: 0",
		"0\r\nContent-Length: %d", "%d\r\nContent-Length: %[1]d", "%d\r\n 0", "\r\n %d", "%d;", "\"%d\"", "99999999999999999999%d",
		"%d\r\nContent_Length: 0", "%d\nContent-Length: 0", "%d\rContent-Length: 0",
	} {
		out = append(out, "Content-Length: "+fmt.Sprintf(value, n)+"\r\n")
	}
	return out
}

// chunkings are bodies of a chunked request, with sizes and ends that servers read differently.
func chunkings() []string {
	n := len(wholeBody)
	whole := fmt.Sprintf("%x\r\n%s\r\n", n, wholeBody)
	return []string{
		whole + "0\r\nX-Smuggled: 1\r\n\r\n",
		whole + "0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		fmt.Sprintf("%x;x=\"\r\n\"\r\n%s\r\n0\r\n\r\n", n, wholeBody),
		fmt.Sprintf("%x;x\n%s\r\n0\r\n\r\n", n, wholeBody),
		fmt.Sprintf("%x\n%s\n0\n\n", n, wholeBody),
		fmt.Sprintf("%x\r%s\r0\r\r", n, wholeBody),
		fmt.Sprintf("0x%x\r\n%s\r\n0\r\n\r\n", n, wholeBody),
		fmt.Sprintf("+%x\r\n%s\r\n0\r\n\r\n", n, wholeBody),
		fmt.Sprintf("%x \r\n%s\r\n0\r\n\r\n", n, wholeBody),
		fmt.Sprintf("%x\r\n%s%s0\r\n\r\n", n, wholeBody, "xx"),
		fmt.Sprintf("ffffffffffffffff%x\r\n%s\r\n0\r\n\r\n", n, wholeBody),
	}
}

// Whatever a client claims about where its request ends, the upstream sees one request or none, of the client's own body
// and without the headers of what was hidden in it.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	r := newRig(t, host{wrap: bare, open: true})
	head := "POST " + messagesPath + " HTTP/1.1\r\nHost: p\r\nContent-Type: application/json\r\n"
	var requests []string
	for _, f := range framings() {
		requests = append(requests, head+f+"\r\n"+wholeBody+hidden)
		if strings.Contains(f, "chunked") {
			requests = append(requests, head+f+"\r\n"+"0\r\n\r\n"+hidden)
		}
	}
	for _, c := range chunkings() {
		requests = append(requests, head+"Transfer-Encoding: chunked\r\n\r\n"+c+hidden)
	}
	if len(requests) < 60 {
		t.Errorf("only %d requests", len(requests))
	}
	accepted := 0
	for _, request := range requests {
		answer := r.raw(t, request)
		if !strings.HasPrefix(answer, "HTTP/1.1 ") {
			t.Errorf("%q: got %q", request, answer)
		}
		seen := r.upstream.Requests()
		r.upstream.Reset()
		accepted += len(seen)
		if len(seen) > 1 {
			t.Errorf("%q: the upstream saw %d requests", request, len(seen))
		}
		for _, up := range seen {
			r.wantOwn(t, request, up.Path, up.Header, string(up.Body))
		}
	}
	if accepted == 0 || accepted > len(requests)/2 {
		t.Errorf("the upstream saw %d of %d", accepted, len(requests))
	}
}

// raw sends bytes over a connection of its own and returns all that comes back.
func (r *rig) raw(t *testing.T, request string) string {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) { // a reset after an answer is no news
		t.Errorf("%q: the server waits, after %q", request, answer)
	}
	return string(answer)
}
