package main

import (
	"net"
	"slices"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// secured are the settings of a file as they are safe for a server at this address: one that asks for no key must not
// be reached from other machines, and one that only this machine reaches goes by no name that a web page could have.
func secured(f *config.File, at net.Addr) (ccproxy.Settings, error) {
	settings := f.Settings
	tcp, ok := at.(*net.TCPAddr)
	local := ok && tcp.IP.IsLoopback()
	if !local {
		return settings, keyed(f)
	}
	if settings.Security.Hosts == nil {
		hosts := []string{"localhost", "127.0.0.1", "[::1]"}
		if own := hostOf(tcp.IP); !slices.Contains(hosts, own) {
			hosts = append(hosts, own)
		}
		settings.Security.Hosts = hosts
	}
	return settings, nil
}

// keyed refuses to be reached from other machines without a key.
func keyed(f *config.File) error {
	if len(f.Settings.Security.Keys) > 0 {
		return nil
	}
	origin, _ := f.Provenance("server.host")
	return &config.KeyError{
		Origin: origin, Key: "server.host",
		Problem: "other machines could use your credentials, since no key is asked for: set security.auth_token " +
			"(in the environment SECURITY__AUTH_TOKEN), or listen on 127.0.0.1",
	}
}

// hostOf writes an address as it stands in URLs.
func hostOf(ip net.IP) string {
	if ip.To4() == nil {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
