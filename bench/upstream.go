package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// upstream answers as an API of one dialect does, at once and always the same.
type upstream struct {
	answer []byte
	events [][]byte
	pause  time.Duration
	bodies sync.Pool // of *bytes.Buffer
}

func newUpstream(letter string, pause time.Duration) *upstream {
	return &upstream{
		answer: answered(letter, answerBody()), events: streamedAs(letter, answerEvents()), pause: pause,
	}
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := u.bodies.Get().(*bytes.Buffer)
	if !ok {
		body = new(bytes.Buffer)
	}
	defer u.bodies.Put(body)
	body.Reset()
	if _, err := io.Copy(body, r.Body); err != nil || !strings.HasPrefix(r.URL.Path, "/v1/") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h := w.Header()
	h.Set("Request-Id", requestID(body.Bytes()))
	for _, what := range [...]string{"Requests", "Input-Tokens", "Output-Tokens"} {
		h.Set("Anthropic-Ratelimit-"+what+"-Limit", "4000000")
		h.Set("Anthropic-Ratelimit-"+what+"-Remaining", "3999000")
		h.Set("Anthropic-Ratelimit-"+what+"-Reset", "2026-01-01T00:00:00Z")
	}
	if bytes.Contains(body.Bytes(), []byte(`"stream":true`)) {
		u.stream(w)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(u.answer)))
	_, _ = w.Write(u.answer) // the client counts what is missing
}

// stream sends the events, each with a flush of its own.
func (u *upstream) stream(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	control := http.NewResponseController(w)
	for _, ev := range u.events {
		if _, err := w.Write(ev); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
		if u.pause > 0 {
			time.Sleep(u.pause)
		}
	}
}

// requestID makes the answer tell what request the upstream has seen.
func requestID(body []byte) string {
	return fmt.Sprintf("req_%08x_%d", crc32.ChecksumIEEE(body), len(body))
}
