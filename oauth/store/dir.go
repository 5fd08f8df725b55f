package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// Dir keeps each id's login in a file of its own in one directory. The files are as [File] describes, but for
// symbolic links, which are refused. Their names are the ids, escaped so that they are safe and different on
// every file system; an id that is too long for that (66 bytes always fit, 200 if they are plain) is refused
// with [oauth.ErrInvalid].
//
// The fields must not be changed after first use, and a Dir must not be copied after it. Its methods are safe
// for concurrent use.
type Dir struct {
	// Path of the directory. Required. It is made with mode 0700 when it is needed.
	Path string
	// Shape is what is in the files. Nil means [Native].
	Shape Shape
	// AllowExposed is as in [File].
	AllowExposed bool

	fs      fileSystem // nil means disk
	changes keyedLock  // one change of a file at a time
	locks   keyedLock
}

var (
	_ oauth.Store  = (*Dir)(nil)
	_ oauth.Lister = (*Dir)(nil)
	_ oauth.Locker = (*Dir)(nil)
)

// Load reads the file of id. The errors are those of [File.Load].
func (s *Dir) Load(ctx context.Context, id string) (*oauth.Credentials, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := s.document(id)
	if err != nil {
		return nil, place("load", id, s.Path, fmt.Errorf("%w: %w", oauth.ErrNoCredentials, err))
	}
	c, err := d.load(ctx)
	return c, place("load", id, d.path, err)
}

// Save writes the file of id. The errors are those of [File.Save].
func (s *Dir) Save(ctx context.Context, id string, c *oauth.Credentials) error {
	if err := Check(id, c); err != nil {
		return place("save", id, s.Path, err)
	}
	return s.change(ctx, "save", id, func(d document) error { return d.save(c) })
}

// Delete removes the file of id.
func (s *Dir) Delete(ctx context.Context, id string) error {
	if _, ok := fileName(id); !ok {
		return ctx.Err() // nothing can be there
	}
	return s.change(ctx, "delete", id, document.remove)
}

func (s *Dir) change(ctx context.Context, op, id string, how func(document) error) error {
	d, err := s.document(id)
	if err != nil {
		return place(op, id, s.Path, err)
	}
	unlock, err := s.changes.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	return place(op, id, d.path, how(d))
}

// List gives the ids of all files that are named as Dir names them.
func (s *Dir) List(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, place("list", "", s.Path, err)
	}
	var ids []string
	for _, e := range entries {
		if id, ok := idOf(e.Name()); ok && e.Type().IsRegular() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Lock waits until nobody else holds the lock of id, in this process or in another one that uses this package.
func (s *Dir) Lock(ctx context.Context, id string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := s.document(id)
	if err != nil {
		return nil, place("lock", id, s.Path, err)
	}
	unlock, err = s.locks.fileLock(ctx, d.path)
	return unlock, place("lock", id, d.path, err)
}

func (s *Dir) document(id string) (document, error) {
	name, ok := fileName(id)
	switch {
	case s.Path == "":
		return document{}, invalid("a directory store without a path")
	case !ok:
		return document{}, invalid("the id cannot be the name of a file")
	}
	d := document{path: filepath.Join(s.Path, name), shape: s.Shape, fs: s.fs, open: s.AllowExposed}
	if d.shape == nil {
		d.shape = Native{}
	}
	if d.fs == nil {
		d.fs = disk{}
	}
	return d, nil
}
