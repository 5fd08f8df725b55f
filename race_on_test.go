//go:build race

package ccproxy_test

const raceEnabled = true
