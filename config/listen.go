package config

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/ccproxy-go/ccproxy"
)

// Listen opens the TCP port that [Server] names, unless it is clear before that what would be served there is not
// safe; see [File.SettingsAt]. That is a *KeyError, and errors of the network are passed on, that of a port which is
// taken with the key to change.
func (f *File) Listen(ctx context.Context) (net.Listener, error) {
	if !isLoopback(f.Server.Host) {
		if err := f.keyed(); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", f.Server.Address())
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: choose another server.port, in the environment SERVER__PORT", err)
	}
	return l, err
}

// SettingsAt returns the settings as they are safe for a server at this address. One that other machines can reach
// has to ask for a key, or else there is a *KeyError. One that only this machine reaches goes by no name that a web
// page could have, unless security.hosts says otherwise.
func (f *File) SettingsAt(at net.Addr) (ccproxy.Settings, error) {
	settings := f.Settings
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return settings, f.keyed()
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
func (f *File) keyed() error {
	if len(f.Settings.Security.Keys) > 0 {
		return nil
	}
	origin, _ := f.Provenance("server.host")
	return &KeyError{
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
