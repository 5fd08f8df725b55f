package keyring

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/zalando/go-keyring"

	"github.com/ccproxy-go/ccproxy/oauth"
)

const (
	// partSize is what every system takes in one entry, with its name and whatever it is encoded with.
	partSize = 2000
	// maxParts bounds what is read and written.
	maxParts = 32
)

// head is the entry of a login that does not fit into one: it names those that hold it.
type head struct {
	Parts int    `json:"ccproxy_parts"`
	Set   string `json:"set"`
	Sum   string `json:"sum"`
}

// parse tells whether an entry is a head.
func parse(entry string) (h head, ok bool) {
	err := json.Unmarshal([]byte(entry), &h)
	return h, err == nil && h.Parts > 0
}

func (h head) part(name string, i int) string {
	return name + "#" + h.Set + "#" + strconv.Itoa(i)
}

// read gives the document under a name.
func (s *Store) read(name string) (doc []byte, err error) {
	for range 3 {
		entry, getErr := s.system().Get(s.Service, name)
		if errors.Is(getErr, keyring.ErrNotFound) {
			return nil, oauth.ErrNoCredentials
		}
		if getErr != nil {
			return nil, getErr
		}
		h, ok := parse(entry)
		if !ok {
			return []byte(entry), nil
		}
		doc, err = s.join(name, h)
		if err == nil || !errors.Is(err, oauth.ErrCorrupt) {
			return doc, err
		}
		// Another process has replaced the parts since the head was read: there is a new one.
	}
	return nil, err
}

func (s *Store) join(name string, h head) ([]byte, error) {
	if h.Parts > maxParts {
		return nil, fmt.Errorf("%w: %d parts", oauth.ErrCorrupt, h.Parts)
	}
	var doc []byte
	for i := range h.Parts {
		part, err := s.system().Get(s.Service, h.part(name, i))
		if errors.Is(err, keyring.ErrNotFound) {
			return nil, fmt.Errorf("%w: part %d is missing", oauth.ErrCorrupt, i+1)
		}
		if err != nil {
			return nil, err
		}
		doc = append(doc, part...)
	}
	if checksum(doc) != h.Sum {
		return nil, fmt.Errorf("%w: the parts do not belong together", oauth.ErrCorrupt)
	}
	return doc, nil
}

// write puts the parts in place first, under a name that nothing has used, and then the head, which makes
// them count. Those that were there before go last.
func (s *Store) write(name string, doc []byte) error {
	old, err := s.system().Get(s.Service, name)
	if err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return err
	}
	if len(doc) <= partSize {
		err = s.system().Set(s.Service, name, string(doc))
	} else {
		err = s.writeParts(name, doc)
	}
	if err != nil {
		return err
	}
	if h, ok := parse(old); ok {
		s.removeParts(name, h)
	}
	return nil
}

func (s *Store) writeParts(name string, doc []byte) error {
	h := head{Parts: (len(doc) + partSize - 1) / partSize, Set: randomName(), Sum: checksum(doc)}
	if h.Parts > maxParts {
		return fmt.Errorf("%w: more than %d bytes", oauth.ErrInvalid, maxParts*partSize)
	}
	var err error
	for i := 0; i < h.Parts && err == nil; i++ {
		part := doc[i*partSize : min((i+1)*partSize, len(doc))]
		err = s.system().Set(s.Service, h.part(name, i), string(part))
	}
	if err == nil {
		var entry []byte
		if entry, err = json.Marshal(h); err == nil {
			err = s.system().Set(s.Service, name, string(entry))
		}
	}
	if err != nil {
		s.removeParts(name, h)
	}
	return err
}

// remove takes the head away first, so that nothing counts any more when the parts go.
func (s *Store) remove(name string) error {
	old, err := s.system().Get(s.Service, name)
	if err == nil {
		err = s.system().Delete(s.Service, name)
	}
	if err != nil && !errors.Is(err, keyring.ErrNotFound) {
		return err
	}
	if h, ok := parse(old); ok {
		s.removeParts(name, h)
	}
	return nil
}

// removeParts removes what it can: what is left counts for nothing.
func (s *Store) removeParts(name string, h head) {
	for i := range min(h.Parts, maxParts) {
		_ = s.system().Delete(s.Service, h.part(name, i))
	}
}

func checksum(doc []byte) string {
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:])
}

func randomName() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}
