// Package storetest checks implementations of [oauth.Store] against its contract.
//
//	func TestStore(t *testing.T) {
//		storetest.TestStore(t, func(t *testing.T) oauth.Store { return mystore.Open(t.TempDir()) })
//	}
//
// A [Suite] checks more: what others see of a store that is shared, locks among processes, and what happens
// when something else spoils what is stored.
package storetest

import (
	"testing"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// Suite checks one kind of store. New is required; the other fields tell what more there is to check.
type Suite struct {
	// New makes an empty store for each test and cleans up by t.Cleanup.
	New func(t *testing.T) oauth.Store
	// ID is set for a store that answers for this id alone: it must hold nothing for others, and refuse to
	// save under them. Tests that need several ids are left out.
	ID string
	// Reopen opens the place of s again, as another part of the program would. Each must see at once what the
	// other does, and heed its locks. Nil means that nobody else can get at what s keeps.
	Reopen func(t *testing.T, s oauth.Store) oauth.Store
	// Corrupt puts something in the place of what is stored under id that nobody can understand. Nil means
	// that nothing can get there.
	Corrupt func(t *testing.T, s oauth.Store, id string)
	// Place tells another process where s keeps what it keeps. It is the argument that [Child] hands to the
	// function that opens a store there; the package's TestMain must call Child. Nil means that the store is
	// not shared among processes.
	Place func(s oauth.Store) string
}

// TestStore runs a suite with nothing but New.
func TestStore(t *testing.T, newStore func(t *testing.T) oauth.Store) {
	t.Helper()
	Suite{New: newStore}.Run(t)
}

// Run runs the suite as subtests. Optional upgrades are checked where the store has them.
func (x Suite) Run(t *testing.T) {
	t.Helper()
	tests := []struct {
		name  string
		needs bool // what the test is about is there
		run   func(*testing.T, Suite, oauth.Store)
	}{
		{"RoundTrip", true, testRoundTrip},
		{"Missing", true, testMissing},
		{"Replace", true, testReplace},
		{"Refuse", true, testRefuse},
		{"Delete", true, testDelete},
		{"Copies", true, testCopies},
		{"EndedContext", true, testEndedContext},
		{"Concurrency", true, testConcurrency},
		{"Quiet", true, testQuiet},
		{"IDs", x.ID == "", testIDs},
		{"HostileIDs", x.ID == "", testHostileIDs},
		{"OtherIDs", x.ID != "", testOtherIDs},
		{"List", true, testList},
		{"Lock", true, testLock},
		{"LockExcludes", true, testLockExcludes},
		{"Corrupt", x.Corrupt != nil, testCorrupt},
		{"Reopen", x.Reopen != nil, testReopen},
		{"ReopenLock", x.Reopen != nil, testReopenLock},
		{"ProcessLock", x.Place != nil, testProcessLock},
		{"ProcessKilled", x.Place != nil, testProcessKilled},
	}
	for _, tt := range tests {
		if tt.needs {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, x, x.New(t)) })
		}
	}
}

// id is the id that most tests use.
func (x Suite) id() string {
	if x.ID != "" {
		return x.ID
	}
	return "id"
}
