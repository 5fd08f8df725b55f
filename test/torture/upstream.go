package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// upstream answers as Anthropic's API does, with what its orders say. The zero value is ready.
type upstream struct {
	arrived func(order)     // is called when an order has been read; may be nil
	freed   func(order)     // is called when nobody waits for its answer any more; may be nil
	release <-chan struct{} // lets awaited streams end

	burning, burnt atomic.Int64 // streams without end: all that were begun, and those that are over
	taken          atomic.Int64 // events of them
	slowest        atomic.Int64 // nanoseconds from the last thing that was taken of one to its end
}

// fires is how streams without end do.
type fires struct {
	Begun   int           `json:"begun"`
	Ended   int           `json:"ended"`
	Taken   int64         `json:"taken"` // events
	Slowest time.Duration `json:"slowest"`
}

func (u *upstream) fires() fires {
	return fires{
		Begun: int(u.burning.Load()), Ended: int(u.burnt.Load()), Taken: u.taken.Load(),
		Slowest: time.Duration(u.slowest.Load()),
	}
}

// ServeHTTP implements http.Handler.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Model string `json:"model"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &request)
	}
	var o order
	if err == nil {
		o, err = parseOrder(request.Model)
	}
	if err != nil {
		fail(w, http.StatusBadRequest)
		return
	}
	if u.arrived != nil {
		u.arrived(o)
	}
	if u.freed != nil {
		defer u.freed(o)
	}
	u.answer(r.Context(), w, o)
}

func (u *upstream) answer(ctx context.Context, w http.ResponseWriter, o order) {
	switch o.kind {
	case kindMute:
		<-ctx.Done()
	case kindWhole, kindHalf:
		whole(ctx, w, o)
	case kindFail:
		fail(w, o.number)
	default:
		u.stream(ctx, w, o)
	}
}

// whole answers with a message, or with half of it.
func whole(ctx context.Context, w http.ResponseWriter, o order) {
	body := fmt.Sprintf(`{"id":"msg_%d","type":"message","role":"assistant","model":%q,"content":[{"type":"text",`+
		`"text":"#%d.0@0;"}],"stop_reason":"end_turn","stop_sequence":null,`+
		`"usage":{"input_tokens":1,"output_tokens":1}}`, o.id, o.model(), o.id)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if o.kind == kindWhole {
		_, _ = io.WriteString(w, body) // who is gone needs no answer
		return
	}
	_, _ = io.WriteString(w, body[:len(body)/2])
	_ = http.NewResponseController(w).Flush()
	<-ctx.Done()
}

func fail(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"type":"error","error":{"type":"api_error","message":"as ordered"}}`)
}

// stream answers with events.
func (u *upstream) stream(ctx context.Context, w http.ResponseWriter, o order) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	s := &eventStream{w: w, control: http.NewResponseController(w)}
	if o.kind == kindEmpty {
		_ = s.control.Flush()
		<-ctx.Done()
		return
	}
	s.begin(o)
	switch o.kind {
	case kindCount:
		s.count(ctx, o)
	case kindFire:
		u.fire(s)
	case kindAwait:
		s.delta(o, 0)
		select {
		case <-u.release:
		case <-ctx.Done():
		}
	case kindCut:
		s.delta(o, 0)
		panic(http.ErrAbortHandler)
	default:
		s.delta(o, 0)
		<-ctx.Done()
	}
	if s.err == nil && ctx.Err() == nil {
		s.end()
	}
}

// fire sends until nobody takes anything.
func (u *upstream) fire(s *eventStream) {
	u.burning.Add(1)
	noise := fmt.Sprintf("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"+
		"\"delta\":{\"type\":\"text_delta\",\"text\":%q}}\n\n", strings.Repeat("noise ", 600))
	last := time.Now()
	for s.err == nil {
		last = time.Now()
		s.send(noise)
		u.taken.Add(1)
	}
	took := int64(time.Since(last))
	for seen := u.slowest.Load(); took > seen && !u.slowest.CompareAndSwap(seen, took); {
		seen = u.slowest.Load()
	}
	u.burnt.Add(1)
}

// eventStream writes the events of one answer, each with a flush of its own, until one fails.
type eventStream struct {
	w       io.Writer
	control *http.ResponseController
	err     error
}

func (s *eventStream) send(events string) {
	if s.err != nil {
		return
	}
	if _, s.err = io.WriteString(s.w, events); s.err == nil {
		s.err = s.control.Flush()
	}
}

func (s *eventStream) begin(o order) {
	s.send(fmt.Sprintf("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_%d\","+
		"\"type\":\"message\",\"role\":\"assistant\",\"model\":%q,\"content\":[],\"stop_reason\":null,"+
		"\"stop_sequence\":null,\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n"+
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"+
		"\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n", o.id, o.model()))
}

// delta says whose event it is, its number, and when it was sent.
func (s *eventStream) delta(o order, number int) {
	s.send(fmt.Sprintf("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"+
		"\"delta\":{\"type\":\"text_delta\",\"text\":\"#%d.%d@%d;\"}}\n\n", o.id, number, time.Now().UnixNano()))
}

func (s *eventStream) end() {
	s.send("event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"," +
		"\"stop_sequence\":null},\"usage\":{\"output_tokens\":9}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
}

// count sends numbered events. Streams do not all send at the same moment.
func (s *eventStream) count(ctx context.Context, o order) {
	const spread = 97 // a prime: neighbors are far from each other
	next := time.NewTimer(o.pause * time.Duration(o.id%spread) / spread)
	defer next.Stop()
	for number := range o.number {
		select {
		case <-next.C:
			next.Reset(o.pause)
		case <-ctx.Done():
			return
		}
		s.delta(o, number)
	}
}
