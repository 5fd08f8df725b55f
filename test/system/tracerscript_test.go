package system

import (
	"strings"
)

// compareScripts holds that each request of a plan has one script with its body, which asks for credentials.
func (r *tracerRig) compareScripts(p plan, files []traceFile) {
	r.t.Helper()
	calls := r.witness.of(p.n)
	if n := 2 * (1 + len(calls)); len(files) != n {
		r.t.Errorf("%s (%d): %d files of scripts, want %d", p.id(), p.ending, len(files), n)
	}
	bodies := map[string][]string{"client": {r.got[p.n].request}}
	for _, call := range calls {
		bodies["provider"] = append(bodies["provider"], call.request)
	}
	variables := map[string][]string{
		"client":   {`"$REPLAY_AUTHORIZATION"`, `"$REPLAY_COOKIE"`, `"$REPLAY_API_KEY"`},
		"provider": {`"$REPLAY_AUTHORIZATION"`},
	}
	if p.upstream == anthropic {
		variables["provider"] = []string{`"$REPLAY_X_API_KEY"`}
	}
	seen := make(map[string]int)
	for _, f := range files {
		seen[f.side+f.end]++
		if f.end == "_curl.sh" {
			for _, v := range append(variables[f.side], "--data-binary @", f.base+"_body") {
				if !strings.Contains(f.text, v) {
					r.t.Errorf("%s: the script has no %s:\n%s", f.base, v, f.text)
				}
			}
			continue
		}
		i := seen[f.side+f.end] - 1
		if i >= len(bodies[f.side]) {
			continue // counted above
		}
		if want := kept(bodies[f.side][i]); f.text != want {
			r.t.Errorf("%s: body %q, want %q", f.base, f.text, want)
		}
	}
	for _, side := range []string{"client", "provider"} {
		if n := len(bodies[side]); seen[side+"_curl.sh"] != n || seen[side+"_body"] != n {
			r.t.Errorf("%s (%d): files %v, want %d of each kind of the %s", p.id(), p.ending, seen, n, side)
		}
	}
}
