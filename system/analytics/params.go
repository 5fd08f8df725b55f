package analytics

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// params reads the parameters of a request, and keeps the first thing that is wrong.
type params struct {
	values url.Values
	known  []string
	err    *paramError
}

// paramsOf reads the query of a request. What of it is malformed would otherwise be left out, and choose everything.
func paramsOf(r *http.Request) *params {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &params{values: values}
	if err != nil {
		p.fail("query", "is not URL-encoded")
	}
	return p
}

// paramError says which parameter is wrong. Its text quotes nothing of the request.
type paramError struct{ name, text string }

func (e *paramError) Error() string { return e.name + ": " + e.text }

func (p *params) fail(name, text string) {
	if p.err == nil {
		p.err = &paramError{name: name, text: text}
	}
}

// text returns a parameter, "" if it is not there.
func (p *params) text(name string) string {
	p.known = append(p.known, name)
	v := p.values[name]
	if len(v) > 1 {
		p.fail(name, "is there more than once")
	}
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

// whole returns a whole number within bounds, or the fallback.
func (p *params) whole(name string, lowest, highest, fallback int) int {
	s := p.text(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < lowest || n > highest {
		p.fail(name, fmt.Sprintf("must be a number from %d to %d", lowest, highest))
		return fallback
	}
	return n
}

// moment returns a time, as seconds since 1970 or as RFC 3339.
func (p *params) moment(name string) time.Time {
	s := p.text(name)
	if s == "" {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil && t.Year() >= 1970 {
		return t
	}
	const last = 253402300799 // the end of the year 9999
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || !(seconds >= 0 && seconds <= last) {
		p.fail(name, "must be seconds since 1970, or a time such as 2026-01-02T15:04:05Z")
		return time.Time{}
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000).UTC()
}

func (p *params) millis(name string) time.Duration {
	s := p.text(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0 && n <= 1e12) {
		p.fail(name, "must be a number of milliseconds")
		return 0
	}
	return time.Duration(n * float64(time.Millisecond))
}

const (
	maxWords      = 50
	maxParamBytes = 4096
)

// words returns a list: "a,b" for any of them, "!a" for none of it.
func (p *params) words(name string) (w Words) {
	s := p.text(name)
	if s == "" {
		return Words{}
	}
	if len(s) > maxParamBytes || strings.Count(s, ",") >= maxWords {
		p.fail(name, fmt.Sprintf("must be a list of %d at most", maxWords))
		return Words{}
	}
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		if not, ok := strings.CutPrefix(word, "!"); ok {
			w.None = append(w.None, not)
		} else {
			w.Any = append(w.Any, word)
		}
	}
	return w
}

// filter reads the parameters that every endpoint has.
func (p *params) filter() Filter {
	f := Filter{
		From: p.moment("start_time"), Until: p.moment("end_time"),
		Models: p.words("model"), Providers: p.words("provider"), Callers: p.words("caller"),
		Accounts: p.words("account"), Sessions: p.words("session"), Outcomes: p.words("outcome"),
		StatusMin: p.whole("status_code_min", 0, 999, 0), StatusMax: p.whole("status_code_max", 0, 999, 0),
		DurationMin: p.millis("min_duration_ms"), DurationMax: p.millis("max_duration_ms"),
	}
	if w := p.words("service_type"); len(w.Any)+len(w.None) > 0 { // the older name of provider
		f.Providers = w
	}
	if s := p.text("status"); s != "" {
		f.StatusMin, f.StatusMax = p.status(s)
	}
	return f
}

// status reads 429 or 4xx.
func (p *params) status(s string) (lowest, highest int) {
	if len(s) == 3 && s[0] >= '1' && s[0] <= '9' && strings.EqualFold(s[1:], "xx") {
		class := int(s[0]-'0') * 100
		return class, class + 99
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 100 || n > 999 {
		p.fail("status", "must be a status such as 429, or a class such as 5xx")
	}
	return n, n
}

// end returns what is wrong, an unknown parameter included: one that is misspelt would otherwise choose nothing.
func (p *params) end() error {
	for name := range p.values {
		if !slices.Contains(p.known, name) {
			known := strings.Join(p.known, ", ")
			p.fail("query", "there is a parameter that this endpoint does not have; it has "+known)
		}
	}
	if p.err != nil {
		return p.err
	}
	return nil
}

// cursor is what clients are given to come back for the next page: a position and the order of the pages. It is
// opaque to them.
type cursor struct {
	after     Position
	ascending bool
}

const cursorBytes = 1 + 8 + 16

func (c cursor) String() string {
	b := make([]byte, 0, cursorBytes)
	b = append(b, flag(c.ascending))
	b = binary.BigEndian.AppendUint64(b, uint64(c.after.Time.UnixMicro()))
	b = append(b, c.after.ID[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// cursor reads what String writes; the zero position is that of the first page.
func (p *params) cursor(ascending bool) Position {
	s := p.text("cursor")
	if s == "" {
		return Position{}
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorBytes || b[0] > 1 {
		p.fail("cursor", "is not one that a page has given")
		return Position{}
	}
	if b[0] != flag(ascending) {
		p.fail("cursor", "is of pages in the other order")
		return Position{}
	}
	after := Position{Time: time.UnixMicro(int64(binary.BigEndian.Uint64(b[1:]))).UTC()} //nolint:gosec // any bits do
	copy(after.ID[:], b[9:])
	return after
}
