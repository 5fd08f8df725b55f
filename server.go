package ccproxy

import (
	"net/http"
	"time"
)

// NewServer returns a server for h with limits that suit a proxy, for those who have no server yet: a client has 10
// seconds for its headers, of at most 64 KiB, and an idle connection is closed after two minutes. There is no time
// limit for answers, since models think for minutes; the proxy itself gives up clients that take nothing. Of a
// connection the system holds at most 256 KiB that were not taken, and none of a client that was given up: the
// server's ConnContext sees to that, so whoever sets another one calls this one, too.
//
// The caller sets Addr, listens, and stops it: first [Proxy.Drain], then http.Server.Shutdown, then [Proxy.Shutdown].
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       withConn,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 100, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second,
			WriteByteTimeout: 30 * time.Second,
		},
	}
}
