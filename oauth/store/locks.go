package store

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// keyedLock holds one lock for each key, within the process. The zero value is ready.
type keyedLock struct {
	mu    sync.Mutex
	byKey map[string]*keyedEntry
}

type keyedEntry struct {
	busy  chan struct{} // a semaphore of one
	users int           // who holds it or waits for it
}

// lock waits for the lock of key, or until ctx ends.
func (l *keyedLock) lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	e := l.byKey[key]
	if e == nil {
		if l.byKey == nil {
			l.byKey = make(map[string]*keyedEntry)
		}
		e = &keyedEntry{busy: make(chan struct{}, 1)}
		l.byKey[key] = e
	}
	e.users++
	l.mu.Unlock()
	select {
	case e.busy <- struct{}{}:
		return sync.OnceFunc(func() {
			<-e.busy
			l.leave(key, e)
		}), nil
	case <-ctx.Done():
		l.leave(key, e)
		return nil, ctx.Err()
	}
}

func (l *keyedLock) leave(key string, e *keyedEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.users--
	if e.users == 0 {
		delete(l.byKey, key)
	}
}

const (
	// lockSuffix is that of lock files. They stay when a lock is given back: removing one that somebody
	// waits for would let two in. The suffix is none that a vendor's command uses.
	lockSuffix = ".ccproxy.lock"
	// lockPoll is how often a lock is tried for that another process holds.
	lockPoll = 10 * time.Millisecond
)

// fileLock waits for the lock of a file, within the process in a queue and among processes by a lock file
// beside it. A process that dies gives its locks back.
func (l *keyedLock) fileLock(ctx context.Context, path string) (unlock func(), err error) {
	leave, err := l.lock(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := makeDir(disk{}, filepath.Dir(path)); err != nil {
		leave()
		return nil, err
	}
	file := flock.New(path+lockSuffix, flock.SetPermissions(fileMode))
	if _, err := file.TryLockContext(ctx, lockPoll); err != nil {
		leave()
		return nil, err
	}
	return sync.OnceFunc(func() {
		_ = file.Close()
		leave()
	}), nil
}
