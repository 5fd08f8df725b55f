//go:build unix

package store

import (
	"io/fs"
	"os"
	"syscall"
)

// isOwn tells whether a file belongs to this process's user.
func isOwn(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Geteuid())
}
