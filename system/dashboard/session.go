package dashboard

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ccproxy-go/ccproxy"
)

const (
	// maxSessions bounds the browsers that are logged in, and maxCallerSessions those of one caller. Another one takes
	// the place of the oldest.
	maxSessions       = 1000
	maxCallerSessions = 20
)

// session is a browser that is logged in.
type session struct {
	caller ccproxy.Caller
	began  time.Time
	end    context.CancelFunc
	ctx    context.Context //nolint:containedctx // it ends what the session was good for
}

// sessions are the browsers that are logged in, by the hashes of their cookies. It is safe for concurrent use.
type sessions struct {
	ttl       time.Duration
	publicURL string

	mu     sync.Mutex
	byHash map[[sha256.Size]byte]*session
	closed bool
}

// begin makes a session for a caller and returns its cookie's value; "" when the proxy stops.
func (s *sessions) begin(c ccproxy.Caller) string {
	value := rand.Text()
	ctx, cancel := context.WithTimeout(context.Background(), s.ttl)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		cancel()
		return ""
	}
	if s.byHash == nil {
		s.byHash = make(map[[sha256.Size]byte]*session)
	}
	s.makeRoom(c.ID)
	s.byHash[sha256.Sum256([]byte(value))] = &session{caller: c, began: time.Now(), ctx: ctx, end: cancel}
	return value
}

// makeRoom ends sessions that are over, and the oldest where there are too many. The caller holds the mutex.
func (s *sessions) makeRoom(caller string) {
	var all, own [][sha256.Size]byte
	for hash, one := range s.byHash {
		if one.ctx.Err() != nil {
			s.drop(hash)
			continue
		}
		all = append(all, hash)
		if one.caller.ID == caller {
			own = append(own, hash)
		}
	}
	older := func(a, b [sha256.Size]byte) int { return cmp.Compare(s.age(b), s.age(a)) }
	switch {
	case len(own) >= maxCallerSessions:
		s.drop(slices.MinFunc(own, older))
	case len(all) >= maxSessions:
		s.drop(slices.MinFunc(all, older))
	}
}

func (s *sessions) age(hash [sha256.Size]byte) time.Duration { return time.Since(s.byHash[hash].began) }

func (s *sessions) drop(hash [sha256.Size]byte) {
	s.byHash[hash].end()
	delete(s.byHash, hash)
}

// of returns the session of a request, nil if there is none.
func (s *sessions) of(r *http.Request) *session {
	cookies := r.CookiesNamed(s.cookieName(r))
	if len(cookies) != 1 || len(cookies[0].Value) > 64 { // two are nobody's honest work
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byHash[sha256.Sum256([]byte(cookies[0].Value))]
	if one == nil || one.ctx.Err() != nil {
		return nil
	}
	return one
}

// finish ends the session of a request, if it has one.
func (s *sessions) finish(r *http.Request) {
	for _, c := range r.CookiesNamed(s.cookieName(r)) {
		hash := sha256.Sum256([]byte(c.Value))
		s.mu.Lock()
		if s.byHash[hash] != nil {
			s.drop(hash)
		}
		s.mu.Unlock()
	}
}

func (s *sessions) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byHash)
}

// close ends all sessions; there are no more.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for hash := range s.byHash {
		s.drop(hash)
	}
}

// secure tells whether the browser reaches the proxy over https.
func (s *sessions) secure(r *http.Request) bool {
	if s.publicURL != "" {
		return strings.HasPrefix(strings.ToLower(s.publicURL), "https:")
	}
	return r.TLS != nil
}

// cookieName has the port in it, if there is one: browsers have one set of cookies for all ports of a host.
func (s *sessions) cookieName(r *http.Request) string {
	name, host := "ccproxy-dashboard", r.Host
	if s.publicURL != "" {
		_, host, _ = strings.Cut(s.publicURL, "://")
		host, _, _ = strings.Cut(host, "/")
	}
	if _, port, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			name += "-" + strconv.FormatUint(n, 10)
		}
	}
	if s.secure(r) {
		return "__Secure-" + name
	}
	return name
}

// cookie is that of a session. It has no path of its own: browsers take the address that it comes from, up to the last
// slash, which is that of these routes below whatever prefix the proxy is mounted at.
func (s *sessions) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure where the proxy is reached over https
		Name: s.cookieName(r), Value: value, MaxAge: maxAge, Secure: s.secure(r), HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}

// recognize is middleware that says who calls where a browser that is logged in asks for figures. Nothing else can be
// had with its cookie, and a host that has said who calls is believed.
func (s *sessions) recognize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, prefix+"/") || !forSessions(r) {
			next.ServeHTTP(w, r)
			return
		}
		if _, known := ccproxy.CallerFrom(r.Context()); known {
			next.ServeHTTP(w, r)
			return
		}
		one := s.of(r)
		if one == nil {
			next.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithCancel(ccproxy.ContextWithCaller(r.Context(), one.caller))
		defer cancel()
		defer context.AfterFunc(one.ctx, cancel)()
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, sessionKey{}, true)))
	})
}

type sessionKey struct{}

func hasSession(ctx context.Context) bool { return ctx.Value(sessionKey{}) != nil }

// forSessions tells the requests that a cookie is good for: those that read.
func forSessions(r *http.Request) bool {
	if r.URL.RawPath != "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	switch r.URL.Path {
	case prefix + "/data", prefix + "/events", prefix + "/session":
		return true
	}
	return false
}
