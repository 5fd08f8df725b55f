package hooks

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/ccproxy-go/ccproxy/internal/rawjson"
)

// scan is where the members of a body lie. It does not change once it is made.
type scan struct {
	doc rawjson.Doc
	ok  bool // the body is one JSON object
}

// scans are those that nobody uses any more: they are large beside the bodies of most requests. The nil value keeps
// none.
type scans struct{ pool sync.Pool }

func (s *scans) take() *scan {
	if s != nil {
		if one, ok := s.pool.Get().(*scan); ok {
			return one
		}
	}
	return new(scan)
}

// reclaim takes the scan of a request of which no copy is lent any more.
func (s *scans) reclaim(r *PreparedRequest) {
	if r.scanned != nil {
		s.pool.Put(r.scanned)
		r.scanned = nil
	}
}

// BodyBytes is how long RawBody is.
func (r *PreparedRequest) BodyBytes() int {
	if !r.loan.begin() {
		return 0
	}
	defer r.loan.end()
	return len(r.raw)
}

// Member returns a copy of the value of a top-level member of RawBody; ok is false if there is none, or if the body is
// not one JSON object with each member once. It spares a mutator that wants to know little of a long body the copy of
// all of it, and it is looked through once for all mutators.
func (r *PreparedRequest) Member(key string) (value json.RawMessage, ok bool) {
	if !r.loan.begin() {
		return nil, false
	}
	defer r.loan.end()
	s := r.scan()
	if !s.ok {
		return nil, false
	}
	raw, ok := s.doc.Raw(key)
	return bytes.Clone(raw), ok
}

// SetMember replaces the value of a top-level member of RawBody in its place, or adds the member as the first; all
// other bytes stay as they are. Like SetRawBody it beats SetBody. ok is false, and nothing is changed, if the value is
// not one of JSON or the body is not one JSON object with each member once.
func (r *PreparedRequest) SetMember(key string, value json.RawMessage) (ok bool) {
	if !json.Valid(value) || !r.loan.begin() {
		return false
	}
	defer r.loan.end()
	s := r.scan()
	if !s.ok {
		return false
	}
	r.raw, r.rawSet = s.doc.Set(key, value), true
	r.parsed, r.parseErr, r.isParsed, r.scanned = nil, nil, false, nil
	return true
}

// scan looks through the body, unless somebody has.
func (r *PreparedRequest) scan() *scan {
	if r.scanned == nil {
		s := r.scans.take()
		s.ok = s.doc.Scan(r.raw, rawjson.Options{}) == nil
		r.scanned = s
	}
	return r.scanned
}
