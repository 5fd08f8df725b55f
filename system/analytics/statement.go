package analytics

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// statement is a query that is being written, with its arguments.
type statement struct {
	numbered bool
	text     strings.Builder
	args     []any
}

func (s *sqlStore) statement() *statement { return &statement{numbered: s.dialect.numbered} }

func (st *statement) write(text string) { st.text.WriteString(text) }

// arg writes the place of an argument.
func (st *statement) arg(v any) {
	st.args = append(st.args, v)
	if !st.numbered {
		st.text.WriteByte('?')
		return
	}
	st.text.WriteByte('$')
	st.text.WriteString(strconv.Itoa(len(st.args)))
}

// where writes the conditions of a filter, its times included.
func (st *statement) where(f *Filter) {
	st.write(" WHERE 1 = 1")
	st.bound("at >=", !f.From.IsZero(), ceilMicro(f.From))
	st.bound("at <", !f.Until.IsZero(), ceilMicro(f.Until))
	st.bound("duration >=", f.DurationMin != 0, int64((f.DurationMin+time.Microsecond-1)/time.Microsecond))
	st.bound("duration <=", f.DurationMax != 0, f.DurationMax.Microseconds())
	st.words("model", f.Models)
	st.words("caller", f.Callers)
	st.words("account", f.Accounts)
	st.words("session", f.Sessions)
	st.common(f)
	st.indexed(f)
}

// indexed says of a filter what the indexes say of themselves, so that the database may take them.
func (st *statement) indexed(f *Filter) {
	known := func(name string, w Words) {
		if len(w.Any) > 0 && !slices.Contains(w.Any, "") {
			st.write(" AND " + name + " <> ''")
		}
	}
	known("caller", f.Callers)
	known("session", f.Sessions)
	if f.fails() {
		st.write(" AND status <> " + strconv.Itoa(usualStatus))
	}
}

// common writes those conditions whose columns every table has.
func (st *statement) common(f *Filter) {
	one := f.StatusMin == f.StatusMax // so that an index is in the order of pages
	st.bound("status =", one && f.StatusMin != 0, int64(f.StatusMin))
	st.bound("status >=", !one && f.StatusMin != 0, int64(f.StatusMin))
	st.bound("status <=", !one && f.StatusMax != 0, int64(f.StatusMax))
	st.words("provider", f.Providers)
	st.words("outcome", f.Outcomes)
}

// whole writes the place of a whole number where nothing else says that it is one.
func (st *statement) whole(v int64) {
	st.write("CAST(")
	st.arg(v)
	st.write(" AS BIGINT)")
}

func (st *statement) bound(condition string, set bool, v int64) {
	if set {
		st.write(" AND " + condition + " ")
		st.arg(v)
	}
}

// ceilMicro is the first microsecond that is not before t.
func ceilMicro(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }

func (st *statement) words(name string, w Words) {
	st.oneOf(name+" IN (", w.Any)
	st.oneOf(name+" NOT IN (", w.None)
}

func (st *statement) oneOf(condition string, words []string) {
	for i, w := range words {
		if i == 0 {
			st.write(" AND " + condition)
		} else {
			st.write(", ")
		}
		st.arg(storable(w))
	}
	if len(words) > 0 {
		st.write(")")
	}
}
