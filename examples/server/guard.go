package main

import (
	"net"
	"net/http"
	"strings"
)

// guard keeps the pages that a browser on this machine has open from using the proxy: those of other origins, and,
// unless remote clients are allowed, those whose name was made to lead to this machine.
func guard(next http.Handler, allowRemote bool) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	if allowRemote {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(hostname(r.Host)) {
			http.Error(w, "this server answers to the names of its own machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostname is a Host header without the port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
