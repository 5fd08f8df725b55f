// Package store holds implementations of [oauth.Store].
//
//   - [Memory] forgets everything when the process ends.
//   - [File] is one file with one login, in a [Shape] of ours or of a vendor's command: with [Claude] and
//     [Codex] a login is shared with the command that made it.
//   - [Dir] is a directory with a file for each id.
//   - [Sealed] encrypts what any other store keeps.
//
// Stores that need more than this module links are modules of their own: oauth/store/keyring for the keyring
// of the operating system, and oauth/store/redis for several machines.
//
//	path, err := store.ClaudePath("") // ~/.claude/.credentials.json
//	file := &store.File{Path: path, ID: "claude-api", Shape: store.Claude{}}
//	creds, err := file.Load(ctx, "claude-api")
//
// Whatever is written to disk has mode 0600 in directories of mode 0700, takes the place of the old in one
// step, and is on the disk when Save returns. A file of the user's own that others may read is refused with
// [ErrExposed]. Tokens are in no error message.
package store
