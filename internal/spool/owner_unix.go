//go:build unix

package spool

import (
	"io/fs"
	"os"
	"syscall"
)

// ours tells whether a directory belongs to whom this process runs as, or to root, who may write anywhere.
func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Uid == 0 || int64(st.Uid) == int64(os.Geteuid())
}
