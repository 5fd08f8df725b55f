//go:build !unix

package store

import "errors"

// isUnsupported tells whether a file system lacks an operation, as network file systems do.
func isUnsupported(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
