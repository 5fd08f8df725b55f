package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
)

// FuzzLoad holds that no file and no environment makes Load panic, that what it takes can be built, and that what it
// refuses says where.
func FuzzLoad(f *testing.F) {
	f.Add("", "")
	f.Add("[server]\nport = 1\n", "SERVER__PORT=2")
	f.Add("plugins = 1\n", "PLUGINS__WIDE__COUNT=2\nPLUGINS__WIDE={\"items\": [{}]}")
	f.Add("[plugins.wide]\nitems = [{deep = 1}, {inner = {inner.deep = 101}}]\npair = [1]\n", "ANTHROPIC_API_KEY=a")
	f.Add("[[security.api_keys]]\nname = 'a'\nkey = 'b'\n[[security.api_keys]]\n", "SECURITY__API_KEYS=[null, 1]")
	f.Add("[plugins.wide.instances.a]\n[plugins.wide.instances.'b.c[0]']\ndeep = 200\n", "plugins__wide__instances__x__deep=[]")
	f.Add("\ufeff[plugins.wide]\nsince = 2020-01-01\nwait = nan\nextra = 10:00:00\n", "CCPROXY__=1\nENABLED_PLUGINS=,,")
	f.Fuzz(func(t *testing.T, src, environ string) {
		if strings.Contains(environ, "CONFIG_FILE") {
			t.Skip("the file is the other input")
		}
		s := newSuite(t)
		path := write(t, src)
		file, err := config.Load(&s.registry, config.Options{Path: path, Environ: strings.Split(environ, "\n")})
		if err == nil {
			s.built(t, file)
			return
		}
		many, ok := errors.AsType[config.KeyErrors](err)
		if !ok || len(many) == 0 || !errors.Is(err, ccproxy.ErrConfig) {
			t.Fatalf("Load = %#v, want KeyErrors", err)
		}
		lines := 1 + strings.Count(src, "\n")
		for _, e := range many {
			o := e.Origin
			if o.Source == config.SourceFile && (o.Line > lines || o.Column > len(src)+1) || o.Source == config.SourceDefault {
				t.Errorf("%v: there is no such place", e)
			}
		}
	})
}
