//go:build !unix

package store

import "io/fs"

// isOwn is never true where modes say nothing of who may read a file.
func isOwn(fs.FileInfo) bool { return false }
