package store

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// File keeps one login in one file. Nothing is cached: a Load sees what is in the file now, also after the
// vendor's command has logged in anew.
//
// A Save puts the new file in place in one step, with mode 0600, and it is durable when Save returns. What the
// shape does not know stays as it is. A file that cannot be understood is never written over: Save fails with
// [oauth.ErrCorrupt] until somebody deletes it. If Path is a symbolic link, the file it points to is replaced
// and the link stays. What is neither a file nor a link to one is refused as corrupt. Files that processes
// which were killed left unfinished go with the next Save or Delete in the directory. Directories that are
// missing are made, with mode 0700.
//
// Lock makes an empty file beside the file and leaves it there; the lock itself ends with the process.
//
// The fields must not be changed after first use, and a File must not be copied after it. Its methods are
// safe for concurrent use.
type File struct {
	// Path of the file. Required.
	Path string
	// ID is the one id that the store answers for; for others it holds nothing, and saving is refused with
	// [oauth.ErrInvalid]. Empty means that the file's login is the answer for every id, for callers that know
	// only one.
	ID string
	// Shape is what is in the file. Nil means [Native].
	Shape Shape
	// AllowExposed has a file read that belongs to this process's user and that others may read, for file systems that
	// know no modes. Without it Load fails with [ErrExposed].
	AllowExposed bool

	fs    fileSystem // nil means disk
	mu    sync.Mutex // one change at a time
	locks keyedLock
}

var (
	_ oauth.Store  = (*File)(nil)
	_ oauth.Lister = (*File)(nil)
	_ oauth.Locker = (*File)(nil)
)

// Load reads the file. Besides the errors of [oauth.Store] it returns those of the file system; all are an
// [*Error]. A file that was changed a moment ago and looks torn is read again for up to a tenth of a second,
// since other programs may write it in place.
func (f *File) Load(ctx context.Context, id string) (*oauth.Credentials, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.ID != "" && id != f.ID {
		return nil, place("load", id, f.Path, oauth.ErrNoCredentials)
	}
	d, err := f.document()
	if err != nil {
		return nil, place("load", id, f.Path, err)
	}
	c, err := d.load(ctx)
	return c, place("load", id, f.Path, err)
}

// Save writes the file. Besides the errors of [oauth.Store] it returns those of the file system; all are an
// [*Error], and the old file is still there. Only if the directory cannot be synced, the very last step, the
// new one is in its place and may be lost with the machine's power.
func (f *File) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := Check(id, c)
	if err == nil && f.ID != "" && id != f.ID {
		err = invalid("the file is that of %q", f.ID)
	}
	if err != nil {
		return place("save", id, f.Path, err)
	}
	return place("save", id, f.Path, f.change(func(d document) error { return d.save(c) }))
}

// Delete takes the login out of the file. The file is removed if nothing of worth is left, and if it cannot
// be understood.
func (f *File) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.ID != "" && id != f.ID {
		return nil
	}
	return place("delete", id, f.Path, f.change(document.remove))
}

// List gives ID if the file holds a login, readable or not. Without an ID it returns an error wrapping
// errors.ErrUnsupported.
func (f *File) List(ctx context.Context) ([]string, error) {
	if f.ID == "" {
		return nil, place("list", "", f.Path, fmt.Errorf("a file without an id: %w", errors.ErrUnsupported))
	}
	_, err := f.Load(ctx, f.ID)
	switch {
	case err == nil || errors.Is(err, oauth.ErrCorrupt) || errors.Is(err, ErrExposed):
		return []string{f.ID}, nil
	case errors.Is(err, oauth.ErrNoCredentials):
		return nil, nil
	}
	return nil, err
}

// Lock waits until nobody else holds the file's lock: by whatever path, in this process or in another one
// that uses this package. The vendors' commands do not heed it. All ids have the same lock.
func (f *File) Lock(ctx context.Context, id string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := f.document()
	if err != nil {
		return nil, place("lock", id, f.Path, err)
	}
	path, _, err := d.target()
	if err != nil {
		return nil, place("lock", id, f.Path, err)
	}
	unlock, err = f.locks.fileLock(ctx, path)
	return unlock, place("lock", id, f.Path, err)
}

func (f *File) change(how func(document) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, err := f.document()
	if err != nil {
		return err
	}
	return how(d)
}

func (f *File) document() (document, error) {
	if f.Path == "" {
		return document{}, invalid("a file store without a path")
	}
	d := document{path: f.Path, shape: f.Shape, fs: f.fs, links: true, open: f.AllowExposed}
	if d.shape == nil {
		d.shape = Native{}
	}
	if d.fs == nil {
		d.fs = disk{}
	}
	return d, nil
}
