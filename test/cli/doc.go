// Package cli holds no code but tests: the command-line programs of the vendors, as they are installed, against fake
// upstreams on the loopback interface.
//
// They need the programs claude and codex in PATH. Where CCPROXY_TEST_CLI names a directory, the programs are installed
// there with npm, if they are not there already. Without either the tests are skipped, which they say.
package cli
