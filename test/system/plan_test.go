package system

import (
	"fmt"
	"strconv"
	"time"
)

// ending is how an exchange of the ledger goes.
type ending int

const (
	whole ending = iota
	streamed
	refused         // 400
	silent          // no word on usage
	cut             // the upstream breaks off in the middle of a stream
	broken          // the upstream tells of an error in the middle of a stream
	canceled        // the client leaves in the middle of a stream
	retried         // 503 first, then whole
	retriedStreamed // 503 first, then streamed
	endings
)

// family is a dialect.
type family int

const (
	anthropic family = iota
	chat
	responses
	families
)

func (f family) route() string {
	return [...]string{"/v1/messages", "/v1/chat/completions", "/v1/responses"}[f]
}

// provider is the one whose upstream speaks the dialect.
func (f family) provider() string { return [...]string{"claude", "chat", "responses"}[f] }

// used is what an upstream declares, each token once.
type used struct{ input, output, read, write, hour int64 }

func (u used) all() int64 { return u.input + u.output + u.read + u.write }

// listed is a model with its price, as the settings have it and in picodollars for a token.
type listed struct {
	name    string
	table   map[string]any // nil for none
	rates   used           // of writes that are not for an hour
	unknown bool
}

func models() []listed {
	return []listed{
		{name: "claude-sonnet-4-5-20250929", rates: used{3_000_000, 15_000_000, 300_000, 3_750_000, 6_000_000}},
		{name: "house-odd", rates: used{123_457, 7_654_321, 12_347, 1_000_003, 2_000_001}, table: map[string]any{
			"model": "house-odd", "input": "0.123457", "output": "7.654321", "cache_read": "0.012347",
			"cache_write_5m": "1.000003", "cache_write_1h": "2.000001",
		}},
		{name: "house-fine", rates: used{1, 1, 1, 1, 1}, table: map[string]any{
			"model": "house-fine", "input": "0.000001", "output": "0.000001",
		}},
		{name: "nobody-knows", unknown: true},
	}
}

// plan is one exchange of the ledger, and what the upstream declares in it.
type plan struct {
	n                int
	client, upstream family
	ending           ending
	model            listed
	team             string
	whole            used
	first            time.Duration // until the upstream says anything
}

func newPlan(n int) plan {
	p := plan{n: n}
	digit := func(base int) int {
		d := n % base
		n /= base
		return d
	}
	p.ending, p.client, p.upstream = ending(digit(int(endings))), family(digit(int(families))), family(digit(int(families)))
	p.model = models()[digit(len(models()))]
	p.team = "team-" + strconv.Itoa(digit(3))
	p.whole = used{input: int64(10 + p.n%997), output: int64(2 + p.n%83), read: int64(p.n % 51)}
	if p.upstream == anthropic {
		p.whole.write = int64(p.n % 29)
		p.whole.hour = p.whole.write / 3
	}
	p.first = time.Duration(1+p.n%40) * 7 * time.Millisecond
	return p
}

func (p plan) id() string { return "req-" + strconv.Itoa(p.n) }

func (p plan) stream() bool {
	switch p.ending {
	case streamed, cut, broken, canceled, retriedStreamed:
		return true
	default:
		return false
	}
}

func (p plan) retried() bool { return p.ending == retried || p.ending == retriedStreamed }

// body is what the client sends. The upstream knows the plan by the text.
func (p plan) body() string {
	text := fmt.Sprintf("plan-%d-", p.n)
	switch p.client {
	case anthropic:
		return fmt.Sprintf(`{"model":%q,"max_tokens":9,"stream":%t,"messages":[{"role":"user","content":%q}]}`,
			p.model.name, p.stream(), text)
	case chat:
		options := ""
		if p.stream() {
			options = `"stream_options":{"include_usage":true},`
		}
		return fmt.Sprintf(`{"model":%q,"stream":%t,%s"messages":[{"role":"user","content":%q}]}`,
			p.model.name, p.stream(), options, text)
	default:
		return fmt.Sprintf(`{"model":%q,"stream":%t,"input":%q}`, p.model.name, p.stream(), text)
	}
}

// declared is what the upstream has told when the exchange ends; ok is false if that was nothing.
func (p plan) declared() (u used, ok bool) {
	switch p.ending {
	case whole, streamed, retried, retriedStreamed:
		return p.whole, true
	case cut, broken, canceled:
		if p.upstream == anthropic {
			u = p.whole
			u.output = 1 // as message_start says
			return u, true
		}
	case refused, silent, endings:
	}
	return used{}, false // the others tell at the end
}

// told is what the upstream itself says that a whole answer cost, in millionths of a dollar; zero if it does not.
func (p plan) told() int64 {
	if p.upstream == anthropic && p.n%7 == 3 {
		return int64(1 + p.n%1000)
	}
	return 0
}

// cost is what that costs in picodollars; ok is false if nobody knows.
func (p plan) cost() (n int64, ok bool) {
	u, ok := p.declared()
	if told := p.told(); told > 0 && ok && u == p.whole {
		return told * 1_000_000, true
	}
	if !ok || p.model.unknown {
		return 0, false
	}
	r := p.model.rates
	return u.input*r.input + u.output*r.output + u.read*r.read + (u.write-u.hour)*r.write + u.hour*r.hour, true
}

// outcome is how analytics calls it.
func (p plan) outcome() string {
	switch p.ending {
	case refused, cut, broken:
		return "error"
	case canceled:
		return "canceled"
	default:
		return "success"
	}
}

const (
	// pause is how long a stream rests in its middle.
	pause = 30 * time.Millisecond
	// backoff is the longest wait before a retry; the shortest is half of it.
	backoff = 100 * time.Millisecond
)

// firstByte is when the client gets the first byte, at the earliest and the latest.
func (p plan) firstByte() (earliest, latest time.Duration) {
	if p.retried() {
		return p.first + backoff/2, p.first + backoff
	}
	return p.first, p.first
}
