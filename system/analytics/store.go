package analytics

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Store keeps records. Its methods may be called concurrently. Package analyticstest checks implementations.
type Store interface {
	// Append adds records, all or none. A record that is there already, by its ID and Time, is passed over, so that a
	// caller who does not know whether Append took effect may repeat it. Texts that the store cannot hold as they are,
	// because of a NUL or broken UTF-8, are stored with U+FFFD in those places. It does not keep the slice.
	Append(ctx context.Context, records []Record) error
	// Query returns a page of records by Time and then ID.
	Query(ctx context.Context, q Query) (Page, error)
	// Aggregate adds up records in groups, which are sorted by their keys in the order of a.By. Without By there is
	// one group, also if no record fits. It fails with ErrTooManyGroups beyond a.Limit.
	Aggregate(ctx context.Context, a Aggregation) ([]Group, error)
	// Prune deletes the records from before a time (the zero time: none), and then all but the latest keep ones
	// (0: all stay). It returns how many it deleted, also when it fails on the way.
	Prune(ctx context.Context, before time.Time, keep int64) (deleted int64, err error)
	// Reset deletes everything and returns how much that was.
	Reset(ctx context.Context) (deleted int64, err error)
	// Close releases what the store holds. Nothing is called after it.
	Close() error
}

// ErrTooManyGroups tells that an aggregation has more groups than its limit. A shorter time or a longer period has
// less.
var ErrTooManyGroups = errors.New("too many groups")

// ErrSchema tells that a database was made by a later version of this package.
var ErrSchema = errors.New("the database is of a later version")

// Filter chooses records; the zero value chooses all. A record has to fit every field that is set.
type Filter struct {
	// From and Until bound Time: From belongs to the range, Until does not.
	From, Until time.Time

	Models, Providers, Callers, Accounts, Sessions Words
	Outcomes                                       Words

	// StatusMin and StatusMax bound Status, both included.
	StatusMin, StatusMax int
	// DurationMin and DurationMax bound Duration, both included.
	DurationMin, DurationMax time.Duration
}

// Words chooses texts: those that are one of Any, if there are any, and none of None.
type Words struct {
	Any, None []string
}

func (w Words) match(s string) bool {
	return (len(w.Any) == 0 || slices.Contains(w.Any, s)) && !slices.Contains(w.None, s)
}

// Match reports whether the filter chooses a record.
func (f *Filter) Match(r *Record) bool {
	switch {
	case !f.From.IsZero() && r.Time.Before(f.From),
		!f.Until.IsZero() && !r.Time.Before(f.Until),
		f.StatusMin != 0 && r.Status < f.StatusMin,
		f.StatusMax != 0 && r.Status > f.StatusMax,
		f.DurationMin != 0 && r.Duration < f.DurationMin,
		f.DurationMax != 0 && r.Duration > f.DurationMax:
		return false
	}
	return f.Models.match(r.Model) && f.Providers.match(r.Provider) && f.Callers.match(r.Caller) &&
		f.Accounts.match(r.Account) && f.Sessions.match(r.Session) && f.Outcomes.match(string(r.Outcome))
}

// Query asks for a page of records.
type Query struct {
	Filter Filter
	// After is the position of the last record of the page before; the zero value begins at the first page. Pages are
	// stable: what was there when the first one was read comes exactly once, whatever is added meanwhile.
	After Position
	// Ascending lists the oldest first, in place of the latest.
	Ascending bool
	// Limit is the number of records of a page. Zero means 1000.
	Limit int
}

// Position is the place of a record in the order of pages.
type Position struct {
	Time time.Time
	ID   ID
}

// IsZero reports whether the position is that before everything.
func (p Position) IsZero() bool { return p == Position{} }

// Page is a piece of the answer to a query.
type Page struct {
	Records []Record
	// More tells that the next page is not empty. It begins after [Page.Last].
	More bool
}

// Last is the position of the page's last record, zero if it is empty.
func (p Page) Last() Position {
	if len(p.Records) == 0 {
		return Position{}
	}
	r := &p.Records[len(p.Records)-1]
	return Position{Time: r.Time, ID: r.ID}
}

// Dimension is what records are grouped by.
type Dimension string

// The dimensions of aggregations. Hours and days are those of UTC.
const (
	ByHour     Dimension = "hour"
	ByDay      Dimension = "day"
	ByModel    Dimension = "model"
	ByProvider Dimension = "provider"
	ByCaller   Dimension = "caller"
	ByAccount  Dimension = "account"
	ByOutcome  Dimension = "outcome"
)

// Dimensions returns all of them.
func Dimensions() []Dimension {
	return []Dimension{ByHour, ByDay, ByModel, ByProvider, ByCaller, ByAccount, ByOutcome}
}

// Aggregation asks for sums.
type Aggregation struct {
	Filter Filter
	// By are the keys of groups, one of ByHour and ByDay at most. None means one group for all.
	By []Dimension
	// Limit is the largest number of groups. Zero means 10000.
	Limit int
}

// Group is the sum of the records with the same keys. Keys that were not asked for are zero.
type Group struct {
	Time     time.Time // of the beginning of the hour or day
	Model    string
	Provider string
	Caller   string
	Account  string
	Outcome  Outcome
	Totals   Totals
}

// Totals are sums over records.
type Totals struct {
	Requests, Successes, Errors, Canceled int64

	// Tokens are sums over the records of which they are known.
	Tokens Tokens
	// TokensAll is the sum of all tokens, each counted once: of input, output and caches.
	TokensAll int64
	// TokensUnknown is how many records there are without, and TokensPartial how many have no final ones.
	TokensUnknown, TokensPartial int64
	// Cost is the sum over the records of which it is known.
	Cost Amount
	// CostUnknown is how many records have tokens and no cost: with one of them, Cost is too low.
	CostUnknown int64

	Duration    time.Duration // the sum
	DurationMax time.Duration
	// FirstBytes is how many records have a time to the first byte, and TimeToFirstByte is their sum.
	FirstBytes      int64
	TimeToFirstByte time.Duration

	RequestBytes, ResponseBytes int64
}
