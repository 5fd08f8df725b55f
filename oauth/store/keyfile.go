package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// KeyFile is a [KeySource] that reads a file with keys as [ParseKeys] takes them, one per line. The file is
// read each time, so a new first line rotates the keys of a running process. It may be a symbolic link, as
// mounted secrets are. Keep it elsewhere than what is sealed, lest they leak together.
type KeyFile struct {
	// Path of the file. Required.
	Path string
	// Create makes a file with a random key, of mode 0600, if there is none. Of several processes that do so
	// at the same time all get the same key.
	Create bool
	// AllowExposed is as in [File].
	AllowExposed bool
}

var _ KeySource = KeyFile{}

// Keys reads the file. The error wraps [oauth.ErrInvalid] if it holds no keys, fs.ErrNotExist if there is no file, and
// [ErrExposed] if others may read it.
func (k KeyFile) Keys(ctx context.Context) ([]Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys, err := k.read()
	for attempt := 0; k.Create && attempt < 3 && errors.Is(err, fs.ErrNotExist); attempt++ {
		if err := k.create(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		keys, err = k.read()
	}
	return keys, err
}

func (k KeyFile) read() ([]Key, error) {
	const enough = 64 << 10
	info, err := os.Stat(k.Path)
	if err == nil && !k.AllowExposed {
		err = exposed(info)
	}
	if errors.Is(err, ErrExposed) {
		return nil, &Error{Op: "load", Place: k.Path, Err: err}
	}
	if err != nil {
		return nil, err
	}
	text, err := disk{}.read(k.Path, enough)
	if err != nil {
		return nil, err
	}
	keys, err := ParseKeys(string(text))
	if err != nil {
		return nil, &Error{Op: "load", Place: k.Path, Err: err}
	}
	return keys, nil
}

// create writes a file of another name and links it, which fails where somebody was faster: nobody ever sees
// half a key, or one that is replaced. The other file may have been swept up in between; then there is none. Only who
// was fastest sweeps, lest those who make one at the same time take each other's away until nobody has any.
func (k KeyFile) create() error {
	dir := filepath.Dir(k.Path)
	if err := makeDir(disk{}, dir); err != nil {
		return err
	}
	temp := filepath.Join(dir, tempName())
	if err := replaceOnce(disk{}, dir, temp, []byte(NewKey().Text().Reveal()+"\n")); err != nil {
		if errors.Is(err, errSwept) {
			return fs.ErrNotExist
		}
		return err
	}
	defer func() { _ = os.Remove(temp) }()
	switch err := os.Link(temp, k.Path); {
	case err == nil:
		sweep(disk{}, dir, "")
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	return disk{}.syncDir(dir)
}
