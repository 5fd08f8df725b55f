// Package sdkcompat holds no code but tests: the official Anthropic SDK for Go, used as applications
// use it, against every way to reach an upstream. It is a module of its own so that nobody who
// imports ccproxy gets the SDK's dependencies.
//
// The ways are the openers in targets_test.go, the uses are scenarios. A scenario states what an
// application sees, and must see the same over every target.
package sdkcompat
