//go:build !unix

package store_test

import "errors"

func makePipe(string) error { return errors.ErrUnsupported }
