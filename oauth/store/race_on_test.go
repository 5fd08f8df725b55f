//go:build race

package store_test

// raceEnabled tells that the race detector slows everything down.
const raceEnabled = true
