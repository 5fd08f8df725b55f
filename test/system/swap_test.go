package system

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/system/accesslog"
	"github.com/ccproxy-go/ccproxy/system/analytics"
	"github.com/ccproxy-go/ccproxy/system/budgets"
)

// TestSwapsKeepTheLedger has one proxy after the other take the place of the one before while clients ask all the time.
// What they share, a database and two files, has every request once in the end.
func TestSwapsKeepTheLedger(t *testing.T) {
	t.Parallel()
	const requests, swaps = 400, 4
	upstream := httptest.NewServer(http.HandlerFunc(answerAtOnce))
	defer upstream.Close()
	dir := t.TempDir()
	limits := systemTables()[budgets.Name]["limits"]
	settings := ccproxy.Settings{Plugins: providerTables(upstream.URL).with(systemTables()).with(tables{
		accesslog.Name: {"client_log_file": filepath.Join(dir, "access.log")},
		analytics.Name: {"enabled": true, "path": filepath.Join(dir, "records.db")},
		budgets.Name:   {"enabled": true, "limits": limits, "file": filepath.Join(dir, "budgets.json")},
	})}
	var h ccproxy.Handle
	swap := func() {
		next, _, err := build(settings, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Swap(t.Context(), next); err != nil {
			t.Fatal(err)
		}
	}
	swap()
	server := httptest.NewServer(h.Mount("/"))
	defer server.Close()
	var asked atomic.Int64
	due := make(chan struct{}, swaps)
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for n := asked.Add(1); n <= requests; n = asked.Add(1) {
				askOnce(t, server)
				if n%(requests/(swaps+1)) == 0 && n < requests {
					due <- struct{}{}
				}
			}
		})
	}
	for range swaps {
		<-due
		swap()
	}
	clients.Wait()
	if err := h.Swap(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	checkSpent(t, filepath.Join(dir, "budgets.json"), requests)
	checkRecords(t, filepath.Join(dir, "records.db"), requests)
	log, err := os.ReadFile(filepath.Join(dir, "access.log"))
	if n := bytes.Count(log, []byte(`"path":"/claude/v1/messages"`)); n != requests || err != nil {
		t.Errorf("%d lines in the access log, %v", n, err)
	}
}

func askOnce(t *testing.T, server *httptest.Server) {
	t.Helper()
	resp, err := server.Client().Post(server.URL+"/claude/v1/messages", "application/json", strings.NewReader(costBody(1<<10, false)))
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%d, %v", resp.StatusCode, err)
	}
}

// tokensOfAnAnswer are those that answerAtOnce tells.
const tokensOfAnAnswer = 250 + 1800 + 7 + 180

func checkSpent(t *testing.T, path string, requests int64) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Entries []budgets.Entry }
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"each", "all"} {
		var sum budgets.Spent
		for _, e := range doc.Entries { // two days, if midnight comes between
			if e.Budget == name {
				sum = sum.Plus(e.Spent)
			}
		}
		if sum.Requests != requests || sum.Tokens != requests*tokensOfAnAnswer || sum.EstimatedTokens != 0 {
			t.Errorf("budget %s has %+v of %d requests", name, sum, requests)
		}
	}
}

func checkRecords(t *testing.T, path string, requests int64) {
	t.Helper()
	store, err := analytics.OpenSQLite(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	groups, err := store.Aggregate(t.Context(), analytics.Aggregation{})
	if err != nil || len(groups) != 1 {
		t.Fatalf("%v, %v", groups, err)
	}
	if sums := groups[0].Totals; sums.Requests != requests || sums.TokensAll != requests*tokensOfAnAnswer {
		t.Errorf("the records have %d requests and %d tokens", sums.Requests, sums.TokensAll)
	}
}
