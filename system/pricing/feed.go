package pricing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	maxFeed      = 16 << 20
	fetchTimeout = time.Minute
	retryAfter   = time.Hour
)

// feed keeps prices up to date.
type feed struct {
	prices *Prices
	cfg    *Config
	client *http.Client
	logger *slog.Logger

	etag string // of the list in force; used by run alone

	mu  sync.Mutex
	err error // of the last attempt
}

// state returns why the last attempt failed.
func (f *feed) state() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// run fetches until ctx ends.
func (f *feed) run(ctx context.Context) {
	timer := time.NewTimer(f.restore())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		wait := f.cfg.RefreshInterval
		if err := f.refresh(ctx); err != nil {
			wait = retryAfter
		}
		timer.Reset(wait)
	}
}

// restore takes the list of the cache file, and returns how long it is good for.
func (f *feed) restore() time.Duration {
	if f.cfg.CacheFile == "" {
		return 0
	}
	c, err := readCache(f.cfg.CacheFile, f.cfg.SourceURL)
	if err == nil && c != nil {
		err = f.take(c.List, c.Fetched)
	}
	if err != nil {
		f.logger.Warn("cached prices are not used", "error", err)
		return 0
	}
	if c == nil {
		return 0
	}
	f.etag = c.ETag
	return min(max(f.cfg.RefreshInterval-time.Since(c.Fetched), 0), f.cfg.RefreshInterval)
}

// take puts a list into force. The embedded prices stay for models that it has not.
func (f *feed) take(body []byte, fetched time.Time) error {
	date, prices, err := decodeList(body, fetched)
	if err != nil {
		return err
	}
	return f.prices.use(f.prices.base.with(date, f.cfg.SourceURL, prices))
}

// refresh fetches the list once. On failure the prices stay.
func (f *feed) refresh(ctx context.Context) error {
	err := f.fetch(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.mu.Lock()
	before := f.err
	f.err = err
	f.mu.Unlock()
	switch {
	case err != nil && before == nil:
		f.logger.WarnContext(ctx, "newer prices are not to be had", "error", err)
	case err == nil && before != nil:
		f.logger.InfoContext(ctx, "newer prices can be had again")
	}
	return err
}

func (f *feed) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.cfg.SourceURL, http.NoBody)
	if err != nil {
		return withoutURL(err)
	}
	req.Header.Set("Accept", "application/json")
	if f.etag != "" {
		req.Header.Set("If-None-Match", f.etag)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer resp.Body.Close() // what was read is what counts
	switch {
	case resp.StatusCode == http.StatusNotModified && f.etag != "":
		f.touch()
		return nil
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the source answered %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFeed+1))
	if err != nil {
		return withoutURL(err)
	}
	if len(body) > maxFeed {
		return fmt.Errorf("the list is larger than %d bytes", maxFeed)
	}
	now := time.Now()
	if err := f.take(body, now); err != nil {
		return err
	}
	f.etag = resp.Header.Get("ETag")
	f.save(&cache{Source: f.cfg.SourceURL, ETag: f.etag, Fetched: now, List: body})
	return nil
}

// touch makes the cached list count as fetched now.
func (f *feed) touch() {
	if f.cfg.CacheFile == "" {
		return
	}
	if c, err := readCache(f.cfg.CacheFile, f.cfg.SourceURL); err == nil && c != nil {
		c.Fetched = time.Now()
		f.save(c)
	}
}

// save writes the cache file. A failure costs a fetch at the next start, no more.
func (f *feed) save(c *cache) {
	if f.cfg.CacheFile == "" {
		return
	}
	if err := c.write(f.cfg.CacheFile); err != nil {
		f.logger.Warn("prices cannot be cached", "error", err)
	}
}

// withoutURL takes the address out of an error: it may hold a key.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
