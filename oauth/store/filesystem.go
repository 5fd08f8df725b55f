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

// fileSystem is what can fail when credentials are written: tests put faults here.
type fileSystem interface {
	// read gives at most limit bytes of a file.
	read(path string, limit int64) ([]byte, error)
	mkdirAll(path string) error
	// create makes a file that nobody else may open. One of that name is an error.
	create(path string) (writeFile, error)
	rename(from, to string) error
	remove(path string) error
	// syncDir makes what happened to the names in a directory durable.
	syncDir(path string) error
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

func (disk) read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

func (disk) mkdirAll(path string) error { return os.MkdirAll(path, dirMode) }

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
