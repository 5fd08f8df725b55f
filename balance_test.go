package ccproxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/providers/providertest"
)

func balanced(how string) ccproxy.Settings {
	return ccproxy.Settings{Fallbacks: []ccproxy.Fallback{{
		Match: "claude-", Kind: "prefix", Targets: []string{"spare/spare-1", "third/third-1"}, Balance: how,
	}}}
}

func answeredBy(rec interface{ Header() http.Header }) string {
	return rec.Header().Get("X-CCProxy-Answered-By")
}

// A session stays with one provider, sessions spread over all of them, and what fails is answered by another.
func TestStickySessions(t *testing.T) {
	t.Parallel()
	second, third := spare{}, spare{name: "third"}
	r := newRig(t, rigSetup{
		settings: balanced("sticky"), plugins: []ccproxy.Factory{second.factory(), third.factory()}, quiet: true,
	})
	ask := func(session string) string {
		rec := r.do(t, http.MethodPost, messagesPath, http.Header{"Session-Id": {session}}, strings.NewReader(wholeBody))
		if rec.Code != http.StatusOK {
			t.Fatalf("status %d: %s", rec.Code, rec.Body)
		}
		return answeredBy(rec)
	}
	counts := make(map[string]int)
	for i := range 300 {
		session := fmt.Sprint("session ", i)
		first := ask(session)
		counts[first]++
		if again := ask(session); again != first {
			t.Errorf("%s went from %s to %s", session, first, again)
		}
	}
	for _, name := range []string{"claude/claude-fake-1", "spare/spare-1", "third/third-1"} {
		if counts[name] < 60 {
			t.Errorf("%d sessions went to %s: %v", counts[name], name, counts)
		}
	}
	if by := answeredBy(r.post(t, wholeBody)); by != "claude/claude-fake-1" {
		t.Errorf("without a session %s answered", by)
	}
}

// The call goes where the fewest are under way.
func TestLeastInflight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		second, third := spare{}, spare{name: "third"}
		r := newRig(t, rigSetup{
			settings: balanced("least_inflight"), plugins: []ccproxy.Factory{second.factory(), third.factory()}, quiet: true,
		})
		release := make(chan struct{})
		r.upstream.Handler = func(providertest.Request) providertest.Reply {
			return providertest.Stall(release, providertest.Message("late"))
		}
		first := make(chan string)
		go func() { first <- answeredBy(r.post(t, wholeBody)) }()
		synctest.Wait()
		if by := answeredBy(r.post(t, wholeBody)); by != "spare/spare-1" {
			t.Errorf("beside a call under way %s answered", by)
		}
		close(release)
		if by := <-first; by != "claude/claude-fake-1" {
			t.Errorf("first answered by %s", by)
		}
		if by := answeredBy(r.post(t, wholeBody)); by != "claude/claude-fake-1" {
			t.Errorf("after it %s answered", by)
		}
	})
}
