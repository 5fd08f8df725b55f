package main

import (
	"fmt"
	"strings"
	"time"
)

// What an order asks of the upstream.
const (
	kindCount = "count" // a stream of so many numbered events
	kindFire  = "fire"  // events without end, as fast as they are taken
	kindHold  = "hold"  // the beginning of a stream, and nothing more
	kindAwait = "await" // the beginning of a stream, and its end when the upstream releases it
	kindMute  = "mute"  // not even a header
	kindEmpty = "empty" // the header of a stream, and nothing more
	kindHalf  = "half"  // half of an answer that is no stream
	kindWhole = "whole" // an answer that is no stream
	kindCut   = "cut"   // a stream that breaks off
	kindFail  = "fail"  // an error with a status
)

// order is what a client asks of the upstream through the proxy: it is the name of the model in its request.
type order struct {
	kind   string
	id     int           // no two requests of a row have the same
	number int           // of events, or the status
	pause  time.Duration // between events
}

func (o order) model() string {
	return fmt.Sprintf("%s-%d-%d-%d", o.kind, o.id, o.number, o.pause.Milliseconds())
}

func (o order) streams() bool {
	return o.kind != kindWhole && o.kind != kindHalf
}

// parseOrder is the inverse of model.
func parseOrder(model string) (order, error) {
	var o order
	var pause int64
	kind, rest, _ := strings.Cut(model, "-")
	o.kind = kind
	if _, err := fmt.Sscanf(rest, "%d-%d-%d", &o.id, &o.number, &pause); err != nil {
		return o, fmt.Errorf("model %q is no order: %w", model, err)
	}
	o.pause = time.Duration(pause) * time.Millisecond
	return o, nil
}
