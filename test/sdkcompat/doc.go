// Package sdkcompat holds no code but tests: the official Anthropic and OpenAI SDKs for Go, used as
// applications use them, against every way to reach an upstream. It is a module of its own so that nobody
// who imports ccproxy gets the SDKs' dependencies.
//
// For Anthropic's SDK in front of its own API the ways are the openers in targets_test.go, the uses are
// scenarios. A scenario states what an application sees, and must see the same over every target.
//
// The files openai_* are about conversion: OpenAI's SDK in front of Anthropic's API, and Anthropic's SDK in
// front of an API that speaks Chat Completions (openai_compat_test.go). Each test states what the SDK shows,
// and must see the same whether it asks for a whole answer or for a stream.
package sdkcompat
