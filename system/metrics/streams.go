package metrics

import "github.com/prometheus/client_golang/prometheus"

// streams shows how many are being relayed. They are known by their exchanges, and gone when these end: events may be
// dropped, and a figure that only went up and down with them would be off from then on. It is for one goroutine at a
// time, as a hook's events are.
type streams struct {
	gauge   prometheus.Gauge
	open    map[uint64]struct{}
	unknown int // of no exchange: somebody else's events
}

func (s *streams) begin(exchange uint64) {
	if exchange == 0 {
		s.unknown++
	} else {
		if s.open == nil {
			s.open = make(map[uint64]struct{})
		}
		s.open[exchange] = struct{}{}
	}
	s.show()
}

// end is that of a stream.
func (s *streams) end(exchange uint64) {
	if exchange == 0 {
		s.unknown = max(s.unknown-1, 0)
	}
	s.leave(exchange)
}

// leave is the end of an exchange.
func (s *streams) leave(exchange uint64) {
	delete(s.open, exchange)
	s.show()
}

func (s *streams) show() { s.gauge.Set(float64(len(s.open) + s.unknown)) }
