package dashboard

import (
	"math"
	"math/bits"
	"time"
)

// other is the name of the models that have no figures of their own.
const other = "other"

// series is what figures are told apart by.
type series struct{ provider, model string }

// sums are figures of requests.
type sums struct {
	Requests   int64 `json:"requests"`
	Failed     int64 `json:"failed"`
	Gone       int64 `json:"gone"`
	Input      int64 `json:"input"`
	Output     int64 `json:"output"`
	CacheRead  int64 `json:"cache_read"`
	CacheWrite int64 `json:"cache_write"`
	Unpriced   int64 `json:"unpriced"`

	cost int64 // picodollars
}

func (s *sums) add(o *sums) {
	s.Requests += o.Requests
	s.Failed += o.Failed
	s.Gone += o.Gone
	s.Input += o.Input
	s.Output += o.Output
	s.CacheRead += o.CacheRead
	s.CacheWrite += o.CacheWrite
	s.Unpriced += o.Unpriced
	s.spend(o.cost)
}

func (s *sums) count(r *request) {
	s.Requests++
	switch r.Outcome {
	case outcomeFailed:
		s.Failed++
	case outcomeGone:
		s.Gone++
	case outcomeOK:
	}
	if r.Unpriced {
		s.Unpriced++
	}
	if r.Tokens != nil {
		s.Input += r.Tokens.Input
		s.Output += r.Tokens.Output
		s.CacheRead += r.Tokens.CacheRead
		s.CacheWrite += r.Tokens.CacheWrite
	}
	s.spend(r.Cost)
}

// spend adds a cost. A sum beyond the largest number, of upstreams that claim nonsense, is that number.
func (s *sums) spend(picodollars int64) {
	if picodollars > math.MaxInt64-s.cost {
		picodollars = math.MaxInt64 - s.cost
	}
	s.cost += picodollars
}

// minuteCount is how many minutes are kept.
const minuteCount = 24 * 60

// minutes are the figures of the last day. The zero value has none.
type minutes struct {
	names map[series]struct{} // those with figures of their own
	ring  [minuteCount]minute // by the number of the minute since 1970, modulo the length
}

// minute has the figures of one minute.
type minute struct {
	number int64
	cells  []cell
	times  spread
}

type cell struct {
	series

	sums sums
}

func (m *minutes) count(r *request, maxModels int) {
	number := r.at.Unix() / 60
	at := &m.ring[((number%minuteCount)+minuteCount)%minuteCount]
	if at.number != number { // of another day, or of one to come if the clock was put right
		at.number, at.cells, at.times = number, at.cells[:0], spread{}
	}
	at.cell(m.series(r, maxModels)).count(r)
	if r.Outcome == outcomeOK && r.Provider != "" {
		at.times.count(r.took)
	}
}

// series is what a request counts for. A model has a name when it has answered: others are whatever clients wrote.
func (m *minutes) series(r *request, maxModels int) series {
	s := series{r.Provider, r.Model}
	if _, known := m.names[s]; known {
		return s
	}
	if s == (series{}) {
		return s
	}
	if r.Outcome == outcomeOK && r.Provider != "" && len(m.names) < maxModels {
		if m.names == nil {
			m.names = make(map[series]struct{})
		}
		m.names[s] = struct{}{}
		return s
	}
	return series{model: other}
}

func (m *minute) cell(s series) *sums {
	for i := range m.cells {
		if m.cells[i].series == s {
			return &m.cells[i].sums
		}
	}
	m.cells = append(m.cells, cell{series: s})
	return &m.cells[len(m.cells)-1].sums
}

// each calls fn for the minutes from a time on, the oldest first.
func (m *minutes) each(from, until time.Time, fn func(at time.Time, m *minute)) {
	first, last := from.Unix()/60, until.Unix()/60
	for number := max(first, last-minuteCount+1); number <= last; number++ {
		at := &m.ring[((number%minuteCount)+minuteCount)%minuteCount]
		if at.number == number && len(at.cells) > 0 {
			fn(time.Unix(number*60, 0), at)
		}
	}
}

// fineness is how many classes double a duration.
const fineness = 8

// spread tells how durations are spread: it counts them in classes, from 1 ms to an hour.
type spread [fineness * 22]uint32

func (s *spread) count(d time.Duration) { s[class(d)]++ }

// class is the place of a duration: the power of two below it, and the three binary digits after the first.
func class(d time.Duration) int {
	ms := uint64(max(d.Milliseconds(), 1)) * fineness
	power := bits.Len64(ms/fineness) - 1
	return min(power*fineness+int(ms>>power%fineness), len(spread{})-1)
}

// middle is the duration in milliseconds in the middle of a class.
func middle(class int) float64 {
	return float64(uint64(1)<<(class/fineness)) * (1 + (float64(class%fineness)+0.5)/fineness)
}

func (s *spread) add(o *spread) {
	for i, n := range o {
		s[i] += n
	}
}

// quantile returns the duration in milliseconds that a share of all stays below; 0 if there are none.
func (s *spread) quantile(share float64) float64 {
	var all, below uint64
	for _, n := range s {
		all += uint64(n)
	}
	if all == 0 {
		return 0
	}
	for i, n := range s {
		if below += uint64(n); float64(below) >= share*float64(all) {
			return middle(i)
		}
	}
	return middle(len(s) - 1)
}
