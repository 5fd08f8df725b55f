// Package config reads the configuration of a proxy, and of the server around it, from a TOML file and the
// environment. It is the only package of the module that reads either, and an application that has a configuration
// of its own does not need it: [ccproxy.Settings] is plain data.
//
// # A program
//
//	package main
//
//	import (
//		"context"
//		"log"
//		"net/http"
//
//		"github.com/ccproxy-go/ccproxy"
//		"github.com/ccproxy-go/ccproxy/bundled"
//		"github.com/ccproxy-go/ccproxy/config"
//	)
//
//	func main() {
//		var reg ccproxy.Registry
//		if err := reg.Register(bundled.Factories()...); err != nil {
//			log.Fatal(err)
//		}
//		file, err := config.Load(&reg, config.Options{})
//		if err != nil {
//			log.Fatal(err) // ccproxy.toml:3:1: server.prot: unknown key (did you mean "port"?)
//		}
//		proxy, err := reg.Build(file.Settings)
//		if err != nil {
//			log.Fatal(err)
//		}
//		var handle ccproxy.Handle
//		if err := handle.Swap(context.Background(), proxy); err != nil {
//			log.Fatal(err)
//		}
//		reloader := config.Reloader{Registry: &reg, Handle: &handle, Current: file}
//		go reloader.Run(context.Background())
//		log.Fatal(http.ListenAndServe(file.Server.Address(), &handle))
//	}
//
// # Where values come from
//
// Defaults, the file, the environment and [Options.Override], the later ones winning, key by key. Tables are merged,
// lists are replaced. [File.Provenance] tells which source a key's value is from.
//
// An environment variable is named after its key, with "__" for each dot: PLUGINS__CLAUDE_API__BASE_URL, in any case.
// CCPROXY__ may stand before every name, and wins over the name without it. A value is read as the key's type wants
// it: as it is for strings, as JSON for everything else, and lists of strings also as items between commas.
// ANTHROPIC_API_KEY and the like are taken where nothing else sets the key, see [KeyVariables].
//
// # What is checked
//
// Everything, before anything runs, and all at once: keys that nobody takes, with the nearest name that exists; tables
// of plugins that are not registered; types, ranges and the "validate" tags of plugins; keys that earlier versions
// had, with what to use instead. Each error names its place in the file, and no error holds a value. Unknown
// environment variables are warnings.
package config
