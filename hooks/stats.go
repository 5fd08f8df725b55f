package hooks

// Stats is the state of one hook. Every event meant for it is in exactly one of Delivered, Dropped, Failed
// and Pending; so is every call of a mutator.
type Stats struct {
	Plugin    string
	Name      string
	Events    []Event
	Priority  int
	Mutator   bool
	Delivered int64 // handled without an error
	Dropped   int64 // given up: queue full, hook fused or busy, registry closed, request over
	Failed    int64 // ended in an error, a panic, a Goexit or a timeout
	Pending   int   // waiting or being handled
	Stalled   bool  // past its timeout and not back yet
	Fused     bool  // left out after repeated failures
	LastError string
	Abandoned int // calls of a mutator that were given up and still run
}
