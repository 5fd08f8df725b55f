// Package hosts holds no code but tests: the proxy inside of what applications put around it. It is a module of its
// own so that nobody who imports ccproxy gets the routers' dependencies.
//
// A host (hosts_test.go) is a server with routers and middleware, which serves the proxy below a prefix. A scenario
// (scenarios_test.go) states what a client sees, and must see the same in every host; where a host lets no stream
// through, the proxy says so, and clients get whole answers. smuggling_test.go sends what no client library would.
package hosts
