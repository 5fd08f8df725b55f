// Package gates holds tests about the tree itself, in place of rules that people
// would have to remember: which package may import which, what the root module
// exports and links, what code may not contain, and how long it may be. It has no
// code of its own.
//
// A rule is a function from parsed source to findings, and has two tests: one that
// feeds it small sources that break it, one that runs it over the tree. Where an
// exception is right, the rule's table takes it together with the reason; an
// exception that is no longer needed is a finding too.
package gates
