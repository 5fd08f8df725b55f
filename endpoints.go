package ccproxy

import (
	"slices"
	"strings"
)

// EndpointInfo is one method and path that a running proxy answers.
type EndpointInfo struct {
	Method  string
	Path    string // from the proxy's root, with {name} for variables
	Summary string
	Plugin  string // "" for the proxy's own
	Auth    AuthPolicy
}

// Endpoints returns what the proxy answers, by path and method. It is empty before Start and after Shutdown.
// Endpoints that answer GET answer HEAD as well.
func (p *Proxy) Endpoints() []EndpointInfo {
	live := p.live.Load()
	if live == nil {
		return nil
	}
	var out []EndpointInfo
	for i := range live.routes.endpoints {
		e := &live.routes.endpoints[i]
		out = append(out, EndpointInfo{
			Method: e.method(), Path: e.path, Summary: e.Summary, Plugin: e.owner, Auth: e.auth,
		})
	}
	slices.SortFunc(out, func(a, b EndpointInfo) int {
		if a.Path != b.Path {
			return strings.Compare(a.Path, b.Path)
		}
		return strings.Compare(a.Method, b.Method)
	})
	return out
}
