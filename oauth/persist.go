package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrUnsaved means that credentials are in use that the store could not be made to take.
var ErrUnsaved = errors.New("credentials are not saved")

func (a *account) storeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, or(a.m.StoreTimeout, defaultStoreTimeout), errTimeout)
}

// load gives what is stored, which nobody else holds.
func (a *account) load(ctx context.Context) (c *Credentials, err error) {
	ctx, cancel := a.storeContext(ctx)
	defer cancel()
	err = protect(func() (err error) {
		c, err = a.store.Load(ctx, a.id)
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("load credentials: %w", ownTimeout(ctx, err))
	case c == nil:
		return nil, ErrNoCredentials
	}
	return c, nil
}

func (a *account) save(ctx context.Context, c *Credentials) error {
	ctx, cancel := a.storeContext(ctx)
	defer cancel()
	err := protect(func() error { return a.store.Save(ctx, a.id, c) })
	if err != nil {
		return fmt.Errorf("save credentials: %w", ownTimeout(ctx, err))
	}
	return nil
}

// lock takes the store's lock, unless it is held or there is none. It is called with busy held.
func (a *account) lock(ctx context.Context) error {
	if a.locker == nil || a.unlock != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, or(a.m.LockTimeout, defaultLockTimeout))
	defer cancel()
	var unlock func()
	err := protect(func() (err error) {
		unlock, err = a.locker.Lock(ctx, a.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("lock credentials: %w", ownTimeout(ctx, err))
	}
	a.unlock = unlock
	return nil
}

// ownTimeout gives err, or another error if ctx, which is none of a caller's, has ended: callers take a
// context's error for that of their own.
func ownTimeout(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errTimeout
	}
	return err
}

// release gives the store's lock back, unless memory holds what others would not see. It is called with busy
// held.
func (a *account) release() {
	a.mu.Lock()
	keep := a.unsaved
	a.mu.Unlock()
	if unlock := a.unlock; unlock != nil && !keep {
		a.unlock = nil
		_ = protect(func() error { unlock(); return nil })
	}
}

// publish puts new credentials in place, which were saved or not. It is called with busy held.
func (a *account) publish(c *Credentials, saveErr error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.replace(c)
	a.refused = Secret{}
	if saveErr == nil {
		a.stored = c
		return
	}
	a.unsaved = true
}

// saveLater sees to credentials that could not be saved. Nil means that they were. It is called with busy
// held.
func (a *account) saveLater(saveErr error) {
	if saveErr == nil {
		return
	}
	a.mu.Lock()
	e := about(EventSaveFailed, a.cur.creds)
	begin := !a.saving
	a.saving = true
	if begin {
		a.running.Add(1) // whoever calls counts as running, so it was not zero
	}
	a.mu.Unlock()
	e.Err = saveErr
	a.emit(e)
	if begin {
		go a.keepSaving()
	}
}

// keepSaving tries to save what is unsaved until that succeeds, others replace it, or the account is closed.
func (a *account) keepSaving() {
	defer a.running.Done()
	for failures, last := 1, false; !last; failures++ {
		timer := time.NewTimer(backoff(failures, nil))
		select {
		case <-timer.C:
		case <-a.stop:
			timer.Stop()
			last = true
		}
		last = a.saveAgain(last) || last
	}
}

// saveAgain tries once more. done tells that nothing is left to be saved.
func (a *account) saveAgain(last bool) (done bool) {
	a.busy <- struct{}{}
	defer func() { <-a.busy }()
	ctx := context.Background()
	c, err := a.load(ctx)
	a.mu.Lock()
	var news []Event
	if a.unsaved {
		news = a.adopt(c, err)
	}
	var cur *Credentials
	if a.unsaved {
		cur = a.cur.creds
	}
	a.mu.Unlock()
	if cur != nil && a.save(ctx, cur) == nil {
		a.mu.Lock()
		a.stored, a.unsaved, cur = cur, false, nil
		news = append(news, about(EventSaved, a.stored))
		a.mu.Unlock()
	}
	a.mu.Lock()
	a.saving = cur != nil && !last
	a.mu.Unlock()
	for _, e := range news {
		a.emit(e)
	}
	a.release()
	if unlock := a.unlock; unlock != nil && last {
		// Nobody is left to save. Others may as well try their luck.
		a.unlock = nil
		_ = protect(func() error { unlock(); return nil })
	}
	return cur == nil
}
