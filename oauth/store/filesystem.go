package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// fileSystem is what can fail when credentials are read and written: tests put faults here.
type fileSystem interface {
	fileReader
	fileWriter
	mkdirAll(path string) error
	rename(from, to string) error
	remove(path string) error
	// syncDir makes what happened to the names in a directory durable.
	syncDir(path string) error
}

// fileReader is what of a file system changes nothing.
type fileReader interface {
	lstat(path string) (fs.FileInfo, error)
	readlink(path string) (string, error)
	readDir(path string) ([]fs.DirEntry, error)
	// read gives at most limit bytes of a file.
	read(path string, limit int64) ([]byte, error)
}

// fileWriter makes files that take the place of others.
type fileWriter interface {
	// create makes a file that nobody else may open. One of that name is an error.
	create(path string) (writeFile, error)
	// claim locks a file that create made while it is written, so that others can tell it from one that a crash left.
	claim(path string, f writeFile) (release func(), err error)
	// removeAbandoned removes a file that create made, unless somebody is writing it.
	removeAbandoned(path string)
}

type writeFile interface {
	io.WriteCloser
	Stat() (fs.FileInfo, error)
	Sync() error
}

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// disk is the operating system's.
type disk struct{}

var _ fileSystem = disk{}

func (disk) lstat(path string) (fs.FileInfo, error) { return os.Lstat(path) }

func (disk) readlink(path string) (string, error) { return os.Readlink(path) }

func (disk) readDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

func (disk) read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

func (disk) mkdirAll(path string) error { return os.MkdirAll(path, dirMode) }

// makeDir makes a directory with those above it that are missing, and their names durable: a file is as safe as the
// way to it.
func makeDir(fsys fileSystem, path string) error {
	var changed []string // directories that get a new name
	for dir := filepath.Clean(path); ; {
		_, err := fsys.lstat(dir)
		above := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || above == dir {
			break
		}
		changed = append(changed, above)
		dir = above
	}
	if err := fsys.mkdirAll(path); err != nil {
		return err
	}
	for _, dir := range changed {
		// One that may be written and not be read cannot be synced, and that is not worth giving up for.
		if err := fsys.syncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

func (disk) create(path string) (writeFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err // not f, which would be an interface around nil
	}
	return f, nil
}

func (disk) rename(from, to string) error {
	err := os.Rename(from, to)
	for range 20 {
		if runtime.GOOS != "windows" || !errors.Is(err, fs.ErrPermission) {
			break
		}
		time.Sleep(5 * time.Millisecond) // somebody is reading the file, which keeps its name taken there
		err = os.Rename(from, to)
	}
	return err
}

func (disk) remove(path string) error { return os.Remove(path) }

func (disk) syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such thing
	}
	d, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !isUnsupported(err) {
		return err
	}
	return nil
}
