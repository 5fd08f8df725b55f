//go:build race

package roundtrip

const raceEnabled = true
