// Package ccproxy embeds an LLM proxy in a Go service: an http.Handler that is put together from plugins.
//
// Clients speak Anthropic Messages, OpenAI Chat Completions or OpenAI Responses to it. Provider plugins forward to
// an upstream, auth plugins hold credentials, system plugins observe and extend. The proxy is a guest in its host's
// process: no globals, no init functions, no ports, no signals, no output but to the logger that it is given, and
// any number of isolated proxies.
//
// # A program
//
// This serves Anthropic's API below /llm/ of a server that has other things to do:
//
//	package main
//
//	import (
//		"context"
//		"log"
//		"net/http"
//		"os"
//
//		"github.com/ccproxy-go/ccproxy"
//		"github.com/ccproxy-go/ccproxy/providers/claudeapi"
//	)
//
//	func main() {
//		var reg ccproxy.Registry
//		if err := reg.Register(claudeapi.Factory()); err != nil {
//			log.Fatal(err)
//		}
//		cfg := claudeapi.DefaultConfig()
//		cfg.APIKey = ccproxy.NewSecret(os.Getenv("ANTHROPIC_API_KEY"))
//		proxy, err := reg.Build(ccproxy.Settings{}, ccproxy.WithPluginConfig(claudeapi.Name, *cfg))
//		if err != nil {
//			log.Fatal(err)
//		}
//		if err := proxy.Start(context.Background()); err != nil {
//			log.Fatal(err)
//		}
//		http.Handle("/llm/", proxy.Mount("/llm"))
//		log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
//	}
//
// An official client then takes http://127.0.0.1:8080/llm/claude as its base URL, or http://127.0.0.1:8080/llm, where
// the model of each request tells whose it is. A client in the same program needs
// no port: [Proxy.Transport] is an http.RoundTripper for its http.Client.
//
// # From plugins to a proxy
//
// A [Factory] has a [Manifest], which declares what a plugin is, and creates its runtime, a [Plugin]. A [Registry]
// holds factories; [Registry.Build] configures those that the [Settings] switch on, orders them by what they depend
// on, and returns a [Proxy]. [Proxy.Start] initializes them, each with its [PluginContext], wires what their
// manifests declare and begins to serve. [Proxy.Shutdown] lets running requests finish and stops everything in
// reverse. A [Handle] swaps one proxy for another, which is how configuration is reloaded.
//
// # The three kinds of plugins
//
// A provider plugin declares a [ProviderSpec]. Its [Provider] answers a [Call] with an [Answer], a body or a stream;
// routes, client formats, models, hooks and errors are the proxy's work. Package providers makes one of a base URL
// and credentials. An auth plugin declares an [OAuthProviderSpec] and proxies nothing. A system plugin declares
// any of [HookSpec], [RouteSpec], [MiddlewareSpec], [TaskSpec] and services. Plugins meet through services, see
// [PluginContext.Provide] and [ServiceOf], through hook events, or through registries, never by import.
//
// # What a request goes through
//
// Middleware, route, one scan of the body, conversion if the provider speaks another format than the client,
// credentials, the mutable hook provider.request.prepared, upstream, and back. Where the formats are equal, bytes
// stay bytes. An answer that breaks off is an error of the client's own format, never half an answer that looks whole.
package ccproxy
