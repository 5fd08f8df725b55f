package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// maxDocument bounds what is read of a file.
const maxDocument = 1 << 20

// document is a file that holds the credentials of one login.
type document struct {
	path  string
	shape Shape
	fs    fileSystem
	links bool // symbolic links are followed
	open  bool // others may be able to read it
}

// target is the file that the path stands for: a symbolic link is followed, so that writing changes what it
// points to and leaves it in place. Anything but a regular file, or nothing, is refused.
func (d document) target() (path string, info fs.FileInfo, err error) {
	path = d.path
	for range 40 {
		info, err := d.fs.lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return path, nil, nil
		case err != nil:
			return "", nil, err
		case info.Mode().IsRegular():
			return path, info, nil
		case info.Mode().Type() != fs.ModeSymlink:
			return "", nil, corrupt("not a file but %s", kindOf(info.Mode()))
		case !d.links:
			return "", nil, corrupt("a symbolic link")
		}
		next, err := d.fs.readlink(path)
		if err != nil {
			return "", nil, err
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(filepath.Dir(path), next)
		}
		path = next
	}
	return "", nil, corrupt("symbolic links without end")
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// content reads the file; nil if there is none.
func (d document) content(path string, info fs.FileInfo) ([]byte, error) {
	if info == nil {
		return nil, nil
	}
	doc, err := d.fs.read(path, maxDocument+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case len(doc) > maxDocument:
		return nil, corrupt("larger than %d bytes", maxDocument)
	case doc == nil:
		doc = []byte{}
	}
	return doc, nil
}

func (d document) load(ctx context.Context) (*oauth.Credentials, error) {
	for attempt := 0; ; attempt++ {
		c, changed, err := d.loadOnce()
		if err == nil || attempt == 4 || !errors.Is(err, oauth.ErrCorrupt) || time.Since(changed) > 2*time.Second {
			return c, err
		}
		// Other programs write in place: what looks torn may be whole in a moment.
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// loadOnce also tells when the file was last changed.
func (d document) loadOnce() (c *oauth.Credentials, changed time.Time, err error) {
	path, info, err := d.target()
	if err != nil {
		return nil, changed, err
	}
	if info != nil && !d.open {
		if err := exposed(info); err != nil {
			return nil, changed, err
		}
	}
	doc, err := d.content(path, info)
	if err != nil || doc == nil {
		if err == nil {
			err = oauth.ErrNoCredentials
		}
		return nil, changed, err
	}
	c, err = d.shape.Decode(doc)
	if err != nil {
		return nil, info.ModTime(), err
	}
	return c, info.ModTime(), nil
}

// save never writes over what it does not understand: it may be a login in a shape that it does not know. A
// file without any content is none.
func (d document) save(c *oauth.Credentials) error {
	path, info, err := d.target()
	if err != nil {
		return err
	}
	doc, err := d.content(path, info)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(doc)) == 0 {
		doc = nil
	}
	doc, err = d.shape.Encode(doc, c)
	if err != nil {
		return err
	}
	if len(doc) > maxDocument {
		return invalid("more than %d bytes", maxDocument)
	}
	return replaceFile(d.fs, path, doc)
}

func (d document) remove() error {
	path, info, err := d.target()
	if err != nil {
		return err
	}
	doc, err := d.content(path, info)
	if err != nil && !errors.Is(err, oauth.ErrCorrupt) {
		return err
	}
	var rest []byte
	if err == nil && doc != nil {
		rest, err = d.shape.Remove(doc)
	}
	if err != nil && !errors.Is(err, oauth.ErrCorrupt) {
		return fmt.Errorf("take the credentials out: %w", err)
	}
	if err == nil && rest != nil {
		return replaceFile(d.fs, path, rest)
	}
	return removeFile(d.fs, path)
}
