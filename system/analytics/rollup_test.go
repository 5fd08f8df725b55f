package analytics

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Questions over long times are answered from rollups, and those that none knows from rows.
func TestRollupOfAggregation(t *testing.T) {
	t.Parallel()
	at := func(hours float64) time.Time {
		return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours * float64(time.Hour)))
	}
	one := Words{Any: []string{"x"}}
	for _, tt := range []struct {
		name        string
		a           Aggregation
		want        string
		from, until time.Time
	}{
		{name: "everything", want: "model", from: time.Unix(0, 0)},
		{
			name: "hours, models and providers", want: "model", from: at(4),
			a: Aggregation{By: []Dimension{ByHour, ByModel, ByProvider}, Filter: Filter{From: at(3.5)}},
		},
		{
			name: "accounts", want: "account", from: at(3), until: at(4),
			a: Aggregation{By: []Dimension{ByAccount}, Filter: Filter{From: at(3), Until: at(4.9), Models: Words{}}},
		},
		{
			name: "days of a caller", want: "caller", from: at(24), until: at(48),
			a: Aggregation{By: []Dimension{ByDay}, Filter: Filter{From: at(0.1), Until: at(71), Callers: one}},
		},
		{
			name: "status, outcome and provider", want: "caller", from: time.Unix(0, 0),
			a: Aggregation{
				By: []Dimension{ByCaller}, Filter: Filter{StatusMin: 500, Outcomes: one, Providers: Words{None: []string{"x"}}},
			},
		},
		{name: "less than an hour", a: Aggregation{Filter: Filter{From: at(3.1), Until: at(3.9)}}},
		{name: "no whole hour", a: Aggregation{Filter: Filter{From: at(3.1), Until: at(4.9)}}},
		{name: "no whole day", a: Aggregation{By: []Dimension{ByCaller}, Filter: Filter{From: at(1), Until: at(47)}}},
		{name: "hours of callers", a: Aggregation{By: []Dimension{ByHour, ByCaller}}},
		{name: "models of a caller", a: Aggregation{By: []Dimension{ByModel}, Filter: Filter{Callers: one}}},
		{name: "models and accounts", a: Aggregation{By: []Dimension{ByModel, ByAccount}}},
		{name: "session", a: Aggregation{Filter: Filter{Sessions: one}}},
		{name: "duration", a: Aggregation{Filter: Filter{DurationMin: time.Second}}},
		{name: "before 1970", a: Aggregation{Filter: Filter{Until: time.Unix(-3, 0)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ru, from, until := tt.a.rollup()
			if ru == nil {
				if tt.want != "" {
					t.Errorf("no rollup, want that of %s", tt.want)
				}
				return
			}
			if ru.name != tt.want || from != tt.from.UnixMicro() || !tt.until.IsZero() && until != tt.until.UnixMicro() {
				t.Errorf("rollup of %s, from %d until %d, want %s, %v, %v", ru.name, from, until, tt.want, tt.from, tt.until)
			}
		})
	}
}

// TestPlans holds that SQLite finds what filters ask for without looking at all records.
func TestPlans(t *testing.T) {
	t.Parallel()
	opened, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "plans.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	s, ok := opened.(*sqlStore)
	if !ok {
		t.Fatalf("a store is a %T", opened)
	}
	one := Words{Any: []string{"x"}}
	day := Filter{From: time.Unix(0, 0), Until: time.Unix(86400, 0)}
	for _, tt := range []struct {
		name string
		q    Query
		want string
	}{
		{name: "all", want: "SCAN ccproxy_requests"}, // in the order of the key, until the page is full
		{name: "times", q: Query{Filter: day}, want: "USING PRIMARY KEY (at>? AND at<?)"},
		{name: "page", q: Query{After: Position{Time: time.Unix(9, 0)}}, want: "USING PRIMARY KEY"},
		{name: "caller", q: Query{Filter: Filter{Callers: one}}, want: "USING INDEX ccproxy_requests_caller (caller=?)"},
		{name: "session", q: Query{Filter: Filter{Sessions: one}}, want: "INDEX ccproxy_requests_session (session=?)"},
		{
			name: "status", q: Query{Filter: Filter{StatusMin: 429, StatusMax: 429}},
			want: "USING INDEX ccproxy_requests_status (status=?)",
		},
		{
			name: "errors", q: Query{Filter: Filter{StatusMin: 400, StatusMax: 599}},
			want: "USING COVERING INDEX ccproxy_requests_status (status>? AND status<?)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var plan []string
			st := s.statement()
			st.write("EXPLAIN QUERY PLAN ")
			st.records(&tt.q, 10)
			err := s.each(t.Context(), st, func(rows *sql.Rows) error {
				var id, parent, unused int
				var detail string
				err := rows.Scan(&id, &parent, &unused, &detail)
				plan = append(plan, detail)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(plan, "\n"); !strings.Contains(text, tt.want) {
				t.Errorf("plan:\n%s\nwant %s", text, tt.want)
			}
		})
	}
}
