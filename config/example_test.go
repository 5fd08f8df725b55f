package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/config"
	"github.com/ccproxy-go/ccproxy/providers/echo"
)

// registryAndFile makes a registry with the echo provider, and a file in a directory that cleanup removes.
func registryAndFile(content string) (reg *ccproxy.Registry, path string, cleanup func()) {
	reg = new(ccproxy.Registry)
	if err := reg.Register(echo.Factory()); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "config")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(dir, "ccproxy.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		panic(err)
	}
	return reg, path, func() { _ = os.RemoveAll(dir) }
}

func ExampleLoad() {
	reg, path, cleanup := registryAndFile(`
[server]
port = 9000

[plugins.echo]
prefix = "you said: "
`)
	defer cleanup()
	file, err := config.Load(reg, config.Options{
		Path:    path,
		Environ: []string{"PLUGINS__ECHO__DELAY=0.5"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %q\n", file.Server.Address(), file.Settings.Plugins["echo"]["prefix"])
	for _, key := range []string{"server.host", "server.port", "plugins.echo.delay"} {
		origin, _ := file.Provenance(key)
		fmt.Println(key, "from", strings.ReplaceAll(origin.String(), path, "ccproxy.toml"))
	}
	// Output:
	// 127.0.0.1:9000 "you said: "
	// server.host from default
	// server.port from ccproxy.toml:3:1
	// plugins.echo.delay from environment PLUGINS__ECHO__DELAY
}

func ExampleLoad_errors() {
	reg, path, cleanup := registryAndFile(`
[server]
port = "9000"

[plugins.ecko]

[plugins.echo]
prefx = "you said: "
delay = "2m"
`)
	defer cleanup()
	_, err := config.Load(reg, config.Options{Path: path, Environ: []string{}})
	fmt.Println(strings.ReplaceAll(err.Error(), path, "ccproxy.toml"))
	// Output:
	// ccproxy.toml:3:8: server.port: is a string, must be a whole number
	// ccproxy.toml:5:10: plugins.ecko: no plugin of this name is registered (did you mean "echo"?)
	// ccproxy.toml:8:1: plugins.echo.prefx: unknown key (did you mean "prefix"?)
	// ccproxy.toml:9:9: plugins.echo.delay: must be at most 1m0s
}
