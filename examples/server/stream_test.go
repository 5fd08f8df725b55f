package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// stream is an answer that has begun.
type stream struct {
	resp *http.Response
	in   *bufio.Reader
	ends time.Time // when the last byte was there
}

const firstLine = "event: message_start\n"

// openStream asks echo to say text, and returns when the first bytes have arrived.
func openStream(ctx context.Context, t *testing.T, client *http.Client, address, text string) *stream {
	t.Helper()
	body := `{"model":"m","stream":true,"max_tokens":999,"messages":[{"role":"user","content":"` + text + `"}]}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/echo/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", aKey)
	resp, err := client.Do(req)
	if err != nil {
		t.Error(err)
		return nil
	}
	s := &stream{resp: resp, in: bufio.NewReader(resp.Body)}
	if line, err := s.in.ReadString('\n'); err != nil || line != firstLine {
		t.Errorf("%s: the stream begins with %q, %v", resp.Status, line, err)
	}
	return s
}

// rest reads to the end and returns the whole stream, but for what differs from one to the next.
func (s *stream) rest(t *testing.T) string {
	t.Helper()
	defer s.resp.Body.Close()
	rest, err := io.ReadAll(s.in)
	if err != nil {
		t.Errorf("the stream breaks off: %v", err)
	}
	s.ends = time.Now()
	return withoutID(firstLine + string(rest))
}

func withoutID(stream string) string {
	return regexp.MustCompile(`"msg_[^"]*"`).ReplaceAllString(stream, `"msg"`)
}

// words makes a text of n words; echo sends each in an event of its own.
func words(n int) string { return strings.TrimSpace(strings.Repeat("word ", n)) }
