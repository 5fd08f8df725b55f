package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// errSwept means that somebody took a new file for one that a crash had left.
var errSwept = errors.New("the new file was removed while it was written")

// replaceFile puts data in the place of the file at path in one step: a process that is killed, a machine
// that loses power and a disk that is full leave the old file or the new one, and nothing else once the next
// file is written there. Only the last step, which makes the change durable, can fail with the new file in
// place.
func replaceFile(fsys fileSystem, path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := makeDir(fsys, dir); err != nil {
		return err
	}
	defer sweep(fsys, dir, path) // afterwards: until they are on the disk, new tokens are nowhere but in memory
	err := errSwept
	for attempt := 0; attempt < 5 && errors.Is(err, errSwept); attempt++ {
		err = replaceOnce(fsys, dir, path, data)
	}
	if err != nil {
		return err
	}
	return fsys.syncDir(dir)
}

// removeFile removes the file at path, if there is one, and makes that durable.
func removeFile(fsys fileSystem, path string) error {
	sweep(fsys, filepath.Dir(path), "")
	err := fsys.remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fsys.syncDir(filepath.Dir(path))
}

func replaceOnce(fsys fileSystem, dir, path string, data []byte) (err error) {
	temp := filepath.Join(dir, tempName())
	f, err := fsys.create(temp)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			_ = f.Close()
		}
		if err != nil {
			_ = fsys.remove(temp)
		}
	}()
	release, err := fsys.claim(temp, f)
	if err != nil {
		return err
	}
	defer release()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	closed = true // whatever Close says: what counts is synced
	if err := f.Close(); err != nil {
		return err
	}
	err = fsys.rename(temp, path)
	if errors.Is(err, fs.ErrNotExist) {
		return errSwept
	}
	return err
}

// Names of files that are not finished. The vendors' commands do not look at them.
const (
	tempPrefix = ".ccproxy-"
	tempSuffix = ".tmp"
	tempRandom = 8
)

func tempName() string {
	var random [tempRandom]byte
	_, _ = rand.Read(random[:]) // it never fails
	return tempPrefix + hex.EncodeToString(random[:]) + tempSuffix
}

func isTempName(name string) bool {
	middle, ok := strings.CutPrefix(name, tempPrefix)
	middle, ok2 := strings.CutSuffix(middle, tempSuffix)
	random, err := hex.DecodeString(middle)
	return ok && ok2 && err == nil && len(random) == tempRandom
}

// locksTemps tells whether an unfinished file is locked by who writes it. Windows does not let others remove
// a file that is open, and would not let its writer write what is locked.
const locksTemps = runtime.GOOS != "windows"

func (disk) claim(temp string, f writeFile) (release func(), err error) {
	nothing := func() {}
	if !locksTemps {
		return nothing, nil
	}
	lock := flock.New(temp, flock.SetFlag(os.O_RDWR))
	switch ok, err := lock.TryLock(); {
	case errors.Is(err, fs.ErrNotExist):
		return nothing, errSwept
	case err != nil:
		return nothing, nil //nolint:nilerr // without locks the file's age protects it
	case !ok:
		return nothing, errSwept
	}
	release = func() { _ = lock.Close() }
	// Who swept it may have held the lock, removed the file and let go before.
	ours, err := f.Stat()
	if err == nil {
		var named fs.FileInfo
		if named, err = os.Lstat(temp); err == nil && os.SameFile(ours, named) {
			return release, nil
		}
	}
	release()
	return nothing, errSwept
}

// sweep removes unfinished files that nobody is writing any more, but for the path that somebody wants to keep. What it
// cannot remove, it leaves to the next.
func sweep(fsys fileSystem, dir, keep string) {
	entries, err := fsys.readDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if isTempName(e.Name()) && e.Type().IsRegular() && path != keep {
			fsys.removeAbandoned(path)
		}
	}
}

// abandonedAfter is how old an unfinished file is for certain abandoned where there are no locks.
const abandonedAfter = time.Hour

func (d disk) removeAbandoned(temp string) {
	if !locksTemps {
		_ = d.remove(temp)
		return
	}
	lock := flock.New(temp, flock.SetFlag(os.O_RDWR))
	ok, err := lock.TryLock()
	if ok {
		_ = d.remove(temp)
		_ = lock.Close()
		return
	}
	if err == nil {
		return
	}
	if info, err := os.Lstat(temp); err == nil && time.Since(info.ModTime()) > abandonedAfter {
		_ = d.remove(temp)
	}
}
