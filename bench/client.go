package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// requestTimeout ends a request that nobody answers.
const requestTimeout = 30 * time.Second

// client sends one and the same request to one proxy, over connections that it keeps.
type client struct {
	addr    string
	request []byte // with its head
	id      string // Request-Id that the upstream gives to an intact request
	answer  []byte
	conns   []*connection // one for each worker; nil where there is none

	// A proxy that converts answers as it does: its first answer has to say what the upstream said, and all others
	// have to be the same.
	converted bool
	stream    bool
	mu        sync.Mutex
	first     []byte // without its time; nil before it is there
}

func newClient(addr, path string, l load) *client {
	return &client{
		addr: addr, request: wireRequest(addr, path, l), id: requestID(l.body),
		answer: wanted(l.direction().upstream, l.stream),
		conns:  make([]*connection, l.workers), stream: l.stream,
	}
}

// wireRequest is the request as an official SDK sends it.
func wireRequest(addr, path string, l load) []byte {
	own := []string{"X-Api-Key: client-key-0123456789", "Anthropic-Version: 2023-06-01"}
	own = append(own, "Anthropic-Beta: interleaved-thinking-2025-05-14")
	if l.direction().client != letterMessages {
		own = []string{"Authorization: Bearer client-key-0123456789"}
	}
	head := []string{
		"POST " + path + " HTTP/1.1",
		"Host: " + addr,
		"Accept: application/json",
		"Content-Type: application/json",
		fmt.Sprintf("Content-Length: %d", len(l.body)),
		"User-Agent: Anthropic/JS 0.70.0",
		"X-Stainless-Arch: x64",
		"X-Stainless-Lang: js",
		"X-Stainless-Os: Linux",
		"X-Stainless-Package-Version: 0.70.0",
		"X-Stainless-Retry-Count: 0",
		"X-Stainless-Runtime: node",
		"X-Stainless-Runtime-Version: v24.0.0",
		"X-Stainless-Timeout: 600",
	}
	head = append(head, own...)
	return append([]byte(strings.Join(head, "\r\n")+"\r\n\r\n"), l.body...)
}

// tally is what a round of requests came to.
type tally struct {
	latencies []time.Duration // of requests that were answered well
	errors    int
	first     error // the first of the errors
}

func (t *tally) add(other tally) {
	t.latencies = append(t.latencies, other.latencies...)
	t.errors += other.errors
	if t.first == nil {
		t.first = other.first
	}
}

// drive sends n requests, as many at a time as there are connections.
func (c *client) drive(ctx context.Context, n int) tally {
	var left atomic.Int64
	left.Store(int64(n))
	tallies := make([]tally, len(c.conns))
	var workers sync.WaitGroup
	for i := range c.conns {
		workers.Go(func() {
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				begun := time.Now()
				if err := c.send(ctx, &c.conns[i]); err != nil {
					tallies[i].add(tally{errors: 1, first: err})
					continue
				}
				tallies[i].latencies = append(tallies[i].latencies, time.Since(begun))
			}
		})
	}
	workers.Wait()
	var sum tally
	for _, t := range tallies {
		sum.add(t)
	}
	return sum
}

// send makes one request and checks the answer. A connection on which something went wrong is not used again.
func (c *client) send(ctx context.Context, conn **connection) error {
	if *conn == nil {
		dialed, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.addr)
		if err != nil {
			return err
		}
		*conn = &connection{Conn: dialed, in: bufio.NewReaderSize(dialed, 32<<10)}
	}
	err := c.exchange(*conn)
	if err != nil {
		_ = (*conn).Close() // its error says nothing new
		*conn = nil
	}
	return err
}

// connection is a connection to a proxy with the buffers of its reader.
type connection struct {
	net.Conn
	in   *bufio.Reader
	body bytes.Buffer
}

func (c *client) exchange(conn *connection) error {
	if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(c.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(conn.in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	conn.body.Reset()
	_, err = conn.body.ReadFrom(resp.Body)
	return errors.Join(err, c.check(resp, conn.body.Bytes()))
}

// check compares an answer with what the upstream sends.
func (c *client) check(resp *http.Response, body []byte) error {
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: %.200s", resp.StatusCode, body)
	case c.converted:
		return c.checkConverted(body)
	case resp.Header.Get("Request-Id") != c.id:
		return fmt.Errorf("the upstream saw the request %q, not %q", resp.Header.Get("Request-Id"), c.id)
	case len(body) < len(c.answer):
		return fmt.Errorf("the answer ends after %d of %d bytes: %q", len(body), len(c.answer), tail(body))
	case !bytes.Equal(body, c.answer):
		return fmt.Errorf("the answer of %d bytes is not the upstream's: %q", len(body), tail(body))
	}
	return nil
}

// longestDelta is more than an event with text says.
const longestDelta = 256

// checkConverted compares an answer with the first one, and that with what the upstream said.
func (c *client) checkConverted(body []byte) error {
	got := timeless(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil {
		for text := range spokenIn(c.answer) {
			again := c.stream && len(text) > longestDelta // some streams say all of it once more at their end
			if !again && !bytes.Contains(got, text) {
				return fmt.Errorf("the answer lacks %.80q: %q", text, tail(body))
			}
		}
		c.first = got
	}
	if !bytes.Equal(got, c.first) {
		return fmt.Errorf("the answer of %d bytes is not that of %d: %q", len(got), len(c.first), tail(body))
	}
	return nil
}

// spokenIn are the texts of an upstream's answer, as they stand in it.
func spokenIn(answer []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		texts := regexp.MustCompile(`"(?:text|content|delta)":("(?:[^"\\]|\\.){8,}")`)
		for _, found := range texts.FindAllSubmatch(answer, -1) {
			if !yield(found[1]) {
				return
			}
		}
	}
}

// tail is the end of an answer, for errors.
func tail(b []byte) []byte { return b[max(0, len(b)-100):] }

func (c *client) close() {
	for _, conn := range c.conns {
		if conn != nil {
			_ = conn.Close() // all answers are there
		}
	}
}
