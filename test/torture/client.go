package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// newClient returns a client with connections of its own.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 256, DisableCompression: true, IdleConnTimeout: time.Minute,
	}}
}

// post sends an order. The caller closes the answer's body.
func post(ctx context.Context, c *http.Client, base string, d dialect, o order) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+d.path, strings.NewReader(d.body(o)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", "sk-torture-client")
	return c.Do(req)
}

// counted is what a stream of numbered events came to.
type counted struct {
	lost, doubled, reordered, foreign int
	latencies                         []time.Duration
	err                               error // the stream is not whole
}

// readCounted reads the answer to an order of numbered events, and compares it with the order.
func readCounted(resp *http.Response, d dialect, o order) counted {
	defer resp.Body.Close()
	c := counted{latencies: make([]time.Duration, 0, o.number)}
	if resp.StatusCode != http.StatusOK {
		c.err = fmt.Errorf("status %d", resp.StatusCode)
		return c
	}
	seen := make([]bool, o.number)
	next, ended := 0, false
	c.err = eachLine(resp.Body, func(line []byte) {
		if ev, ok := parseNumbered(line); ok {
			c.note(ev, o, seen, &next)
		}
		ended = ended || bytes.Equal(line, []byte(d.success))
	})
	for _, there := range seen {
		if !there {
			c.lost++
		}
	}
	if !ended && c.err == nil {
		c.err = errors.New("the stream has no end")
	}
	return c
}

// eachLine calls fn with each line, which is cut where it is longer than any that matters.
func eachLine(r io.Reader, fn func([]byte)) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadSlice('\n')
		fn(line)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// numbered is what a numbered event says.
type numbered struct {
	stream, number int
	sent           time.Time
}

// parseNumbered reads "#STREAM.NUMBER@NANOSECONDS;" where a line has it. Some streams say all of their text again at
// their end, which is no event.
func parseNumbered(line []byte) (ev numbered, ok bool) {
	_, rest, found := bytes.Cut(line, []byte("#"))
	text, _, whole := bytes.Cut(rest, []byte(";"))
	if !found || !whole || !bytes.Contains(line, []byte(`"delta":`)) {
		return ev, false
	}
	var nanoseconds int64
	if _, err := fmt.Sscanf(string(text), "%d.%d@%d", &ev.stream, &ev.number, &nanoseconds); err != nil {
		return numbered{stream: -1}, true
	}
	ev.sent = time.Unix(0, nanoseconds)
	return ev, true
}

func (c *counted) note(ev numbered, o order, seen []bool, next *int) {
	switch {
	case ev.stream != o.id || ev.number < 0 || ev.number >= len(seen):
		c.foreign++
		return
	case seen[ev.number]:
		c.doubled++
	case ev.number < *next:
		c.reordered++
	}
	seen[ev.number] = true
	*next = max(*next, ev.number+1)
	c.latencies = append(c.latencies, time.Since(ev.sent))
}

func (c *counted) add(other counted) {
	c.lost += other.lost
	c.doubled += other.doubled
	c.reordered += other.reordered
	c.foreign += other.foreign
	c.latencies = append(c.latencies, other.latencies...)
	if c.err == nil {
		c.err = other.err
	}
}

// check tells what is wrong with what came.
func (c *counted) check(f *finding, of string) {
	if c.lost+c.doubled+c.reordered+c.foreign > 0 || c.err != nil {
		f.failf("%s: %d events lost, %d doubled, %d out of order, %d of others; first error: %v",
			of, c.lost, c.doubled, c.reordered, c.foreign, c.err)
	}
}
