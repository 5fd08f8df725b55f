// Package sdkcompat holds no code but tests: the official Anthropic and OpenAI SDKs for Go, used as
// applications use them, against every way to reach an upstream. It is a module of its own so that nobody
// who imports ccproxy gets the SDKs' dependencies.
//
// For Anthropic's SDK in front of its own API the ways are the openers in targets_test.go, the uses are
// scenarios. A scenario states what an application sees, and must see the same over every target.
//
// The matrix holds three clients (Messages, Chat Completions and Responses of the two SDKs; client_*) against three
// upstreams (upstream_*), one of each dialect: matrix_test.go for conversations, which must be through the proxy what
// they are with an upstream of the client's own dialect and nothing in between, matrix_failures_test.go for errors,
// which must be those of the client's dialect.
//
// The files openai_* are about what only OpenAI's dialects have, in front of Anthropic's API.
package sdkcompat
