package hooks

const (
	defaultQueue = 1024
	// maxQueueBytes bounds the text that queued payloads hold. A count alone would let a thousand bodies of a
	// megabyte each pile up behind a hook that is slow.
	maxQueueBytes = 8 << 20
	// keepSlots is how large a ring may stay when the queue is empty.
	keepSlots = 64
)

// item is one event in an observer's queue.
type item struct {
	hc     Context
	pass   pass
	serial uint64 // order of arrival
	weight int
}

// queue is a bounded queue that knows what to give up: chunks before any other event, older before newer.
// Chunks and other events are kept apart, so that finding a victim takes no search, and come out in the order
// they came in.
type queue struct {
	limit  int // number of events, at least 1
	bytes  int // sum of weights
	serial uint64
	chunks ring
	others ring
}

// makeRoom reports whether an event may be pushed, and how many queued ones were given up to that end.
func (q *queue) makeRoom(e Event, weight int) (ok bool, dropped int) {
	for !q.fits(weight) {
		switch {
		case e == EventProviderStreamChunk:
			return false, dropped
		case q.chunks.n > 0:
			q.drop(&q.chunks)
		case q.len() < q.limit: // too much text and no chunk left: other events are not its victims
			return false, dropped
		default:
			q.drop(&q.others)
		}
		dropped++
	}
	return true, dropped
}

// push adds an event that makeRoom has let in.
func (q *queue) push(it item) {
	q.serial++
	it.serial = q.serial
	q.bytes += it.weight
	if it.hc.Event == EventProviderStreamChunk {
		q.chunks.push(it)
		return
	}
	q.others.push(it)
}

// pop moves the oldest event into hc; there must be one.
func (q *queue) pop(hc *Context) pass {
	from := &q.others
	if q.others.n == 0 || q.chunks.n > 0 && q.chunks.front().serial < q.others.front().serial {
		from = &q.chunks
	}
	it := from.front()
	*hc = it.hc
	p := it.pass
	q.drop(from)
	return p
}

// clear gives up everything and returns how much that was.
func (q *queue) clear() (dropped int) {
	dropped = q.len()
	q.bytes, q.chunks, q.others = 0, ring{}, ring{}
	return dropped
}

// release lets go of memory that a burst needed. The queue must be empty.
func (q *queue) release() {
	q.chunks.shrink()
	q.others.shrink()
}

func (q *queue) len() int { return q.chunks.n + q.others.n }

// fits reports whether an event of the weight has room. One that is heavier than all the queue may hold is
// let in while nothing else that weighs is queued, so that it is not lost to an idle hook.
func (q *queue) fits(weight int) bool {
	if q.len() >= q.limit {
		return false
	}
	return weight == 0 || q.bytes == 0 || q.bytes+weight <= maxQueueBytes
}

// drop gives up the oldest item of a ring.
func (q *queue) drop(r *ring) {
	q.bytes -= r.front().weight
	r.pop()
}

// ring is a first-in-first-out buffer that grows as needed. Its length is zero or a power of two.
type ring struct {
	items []item
	head  int
	n     int
}

func (r *ring) push(it item) {
	if r.n == len(r.items) {
		r.grow()
	}
	r.items[(r.head+r.n)&(len(r.items)-1)] = it
	r.n++
}

// pop removes the oldest item; there must be one.
func (r *ring) pop() {
	r.items[r.head] = item{} // the payload must not outlive its turn
	r.head = (r.head + 1) & (len(r.items) - 1)
	r.n--
}

func (r *ring) front() *item { return &r.items[r.head] }

func (r *ring) grow() {
	bigger := make([]item, max(4, 2*len(r.items)))
	n := copy(bigger, r.items[r.head:])
	copy(bigger[n:], r.items[:r.head])
	r.items, r.head = bigger, 0
}

func (r *ring) shrink() {
	if len(r.items) > keepSlots {
		*r = ring{}
	}
}
