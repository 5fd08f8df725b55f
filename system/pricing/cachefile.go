package pricing

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// cache is what the cache file holds: a list as it came, from where and when.
type cache struct {
	Source  string          `json:"source"`
	ETag    string          `json:"etag,omitempty"`
	Fetched time.Time       `json:"fetched"`
	List    json.RawMessage `json:"list"`
}

// readCache reads a cache file, nil if there is none or it is from another source.
func readCache(path, source string) (*cache, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no file is no error
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() // only read
	body, err := io.ReadAll(io.LimitReader(file, 2*maxFeed))
	if err != nil {
		return nil, err
	}
	c := new(cache)
	if err := json.Unmarshal(body, c); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if c.Source != source {
		return nil, nil //nolint:nilnil // another list's
	}
	return c, nil
}

// write replaces the file in one step, so that a reader or a crash never sees half of one.
func (c *cache) write(path string) (err error) {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name()) // nobody needs it any more
		}
	}()
	_, err = tmp.Write(body)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
