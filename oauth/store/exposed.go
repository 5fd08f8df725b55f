package store

import (
	"fmt"
	"io/fs"
)

// exposed refuses a file with secrets that others may read. One that belongs to somebody else, as mounted secrets
// often do, is that user's business; so are modes on systems without any.
func exposed(info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 == 0 || !isOwn(info) {
		return nil
	}
	return fmt.Errorf("%w: its mode is %04o, and 0600 (chmod 600) is what it has to be", ErrExposed, info.Mode().Perm())
}
