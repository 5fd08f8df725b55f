package command

import (
	"log/slog"
	"path/filepath"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// build makes a proxy as all commands do.
func (a *app) build(s ccproxy.Settings, l *slog.Logger, extra ...ccproxy.Option) (*ccproxy.Proxy, error) {
	options := []ccproxy.Option{ccproxy.WithLogger(l)}
	shared, err := a.shared.options(a.variable(redisVariable))
	if err != nil {
		return nil, err
	}
	if dir := a.credentialsDir(); dir != "" && shared == nil {
		options = append(options, ccproxy.WithCredentialStore(&store.Dir{Path: dir}))
	}
	options = append(append(options, ccproxy.WithLimiter(a.shared.limiter())), append(shared, extra...)...)
	return a.registry.Build(a.shared.accounts(s, &a.registry), append(options, a.ProxyOptions...)...)
}

// credentialsDir is where logins are kept that no plugin has a place for, "" if there is none.
func (a *app) credentialsDir() string {
	if a.credentials != "" {
		return a.path(a.credentials)
	}
	if dir := a.userDir(); dir != "" {
		return filepath.Join(dir, "credentials")
	}
	return ""
}

// userDir is ccproxy's directory among the user's configuration, "" if the environment does not tell.
func (a *app) userDir() string {
	base := a.variable("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) {
		base = a.variable("HOME")
		if base == "" {
			base = a.variable("USERPROFILE")
		}
		if base == "" {
			return ""
		}
		base = filepath.Join(base, ".config")
	}
	return filepath.Join(base, "ccproxy")
}
