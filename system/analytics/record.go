package analytics

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"
)

// ID identifies a record. IDs that [NewID] makes sort by the time at which they were made.
type ID [16]byte

// NewID returns a new ID: the milliseconds of now since 1970, and 80 random bits. IDs are unique, but no secrets.
func NewID(now time.Time) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16)
	binary.BigEndian.PutUint16(id[6:], uint16(rand.Uint32())) //nolint:gosec // no secret, and made for every request
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())         //nolint:gosec // likewise
	return id
}

// ParseID reads what [ID.String] writes.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, errID
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, errID
	}
	return id, nil
}

var errID = errors.New("an id has 32 hexadecimal digits")

// String returns 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// Outcome is how a request ended.
type Outcome string

// The outcomes of requests.
const (
	// OutcomeSuccess is an answer that is whole and no error.
	OutcomeSuccess Outcome = "success"
	// OutcomeError is an error, or a stream that broke after it had begun with status 200.
	OutcomeError Outcome = "error"
	// OutcomeCanceled is a request whose client went away.
	OutcomeCanceled Outcome = "canceled"
)

// Record is one request that has ended. Times have the precision of a microsecond.
type Record struct {
	// ID is unique: a second record of the same ID and Time is the same one.
	ID ID
	// Time is when the request arrived.
	Time time.Time

	RequestID    string // X-Request-Id, which clients may choose: not unique
	Method       string
	Path         string
	Query        string // redacted
	Endpoint     string // the route's template
	ClientIP     string
	UserAgent    string
	Caller       string // whose key it was, or whom the host named
	Session      string
	ClientFormat string // the client's dialect

	Provider      string
	Account       string // the credential that answered, if there are several
	Model         string // as the client named it
	UpstreamModel string // as the provider was asked for it, or as it names itself
	Operation     string
	Attempts      int // calls of upstreams
	Streamed      bool

	// Status is what the client was sent, 499 if it went away, and zero if nothing was sent.
	Status    int
	Outcome   Outcome
	ErrorType string
	Error     string // redacted text

	Duration time.Duration
	// TimeToFirstByte is when the client was sent the first byte of the answer's body, of a stream the first event that
	// is the provider's; zero if unknown.
	TimeToFirstByte             time.Duration
	RequestBytes, ResponseBytes int64

	// Tokens are what the provider told, nil if it told nothing.
	Tokens *Tokens
	// CacheInInput tells that Tokens.Input counts CacheRead and CacheWrite too, as OpenAI does; otherwise these come
	// on top, as with Anthropic.
	CacheInInput bool
	// ServiceTier is how the provider says that it treated the request, such as "priority".
	ServiceTier string
	// TokensPartial tells that the answer ended before its final figures.
	TokensPartial bool
	// Cost is what the tokens cost, nil if there is no price.
	Cost *Amount
}

// Tokens are what a call used, as its provider counted.
type Tokens struct {
	Input, Output         int64
	CacheRead, CacheWrite int64
	CacheWrite1h          int64 // those of CacheWrite that are kept for an hour
	Reasoning             int64 // those of Output that nobody gets to see
}

// Longest texts of a record, in bytes. They bound what one request can take of a database.
const (
	maxText     = 256
	maxLongText = 1024
)

// clip makes text fit for every store: it is cut to length and holds neither NUL nor broken UTF-8, which PostgreSQL
// refuses.
func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
		for i := 1; i < utf8.UTFMax && i < len(s); i++ { // do not cut a character into halves
			if utf8.RuneStart(s[len(s)-i]) {
				if !utf8.FullRuneInString(s[len(s)-i:]) {
					s = s[:len(s)-i]
				}
				break
			}
		}
	}
	return storable(s)
}

// storable replaces what PostgreSQL does not take as text.
func storable(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// Amount is money, exactly: Dollars and, of the same sign, the trillionths of a dollar that are over. Prices are a
// few dollars for a million tokens, so a token costs a whole number of trillionths.
type Amount struct {
	Dollars int64
	Picos   int64
}

const picos = 1_000_000_000_000

// AmountOf returns the amount of so many trillionths of a dollar.
func AmountOf(picodollars int64) Amount {
	return Amount{Dollars: picodollars / picos, Picos: picodollars % picos}
}

// Plus returns the sum. It is exact up to the largest int64 of dollars.
func (a Amount) Plus(b Amount) Amount {
	carry := AmountOf(a.Picos + b.Picos)
	return Amount{Dollars: a.Dollars + b.Dollars + carry.Dollars, Picos: carry.Picos}
}

// picodollars is the amount in trillionths of a dollar, or the number next to it that there is.
func (a Amount) picodollars() int64 {
	switch most := AmountOf(math.MaxInt64); {
	case a.Dollars > most.Dollars, a.Dollars == most.Dollars && a.Picos > most.Picos:
		return math.MaxInt64
	case a.Dollars < -most.Dollars, a.Dollars == -most.Dollars && a.Picos < -most.Picos:
		return math.MinInt64
	}
	return a.Dollars*picos + a.Picos
}

// String returns the dollars as a decimal number with as many digits as it takes, such as "0.00015".
func (a Amount) String() string {
	sign, dollars, rest := "", a.Dollars, a.Picos
	if dollars < 0 || rest < 0 {
		sign, dollars, rest = "-", -dollars, -rest
	}
	if rest == 0 {
		return fmt.Sprintf("%s%d", sign, dollars)
	}
	return fmt.Sprintf("%s%d.%s", sign, dollars, strings.TrimRight(fmt.Sprintf("%012d", rest), "0"))
}

// MarshalJSON writes a number with all its digits.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }
