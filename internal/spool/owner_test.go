package spool_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/ccproxy-go/ccproxy/internal/spool"
)

// A directory that somebody else has made first, as in /tmp: its owner may write to it.
func TestForeignDirectory(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := filepath.Join(t.TempDir(), "traces")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Skip(err)
	}
	s, err := spool.Open(spool.Options{Dir: dir, MaxFiles: 1, MaxBytes: 1, Owns: func(string) bool { return true }})
	if err == nil {
		_ = s.Close(context.Background())
		t.Error("a directory of another user is taken")
	}
}
