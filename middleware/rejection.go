package middleware

import (
	"encoding/json"
	"errors"
	"net/http"
)

// RejectFunc answers a request that middleware refuses. It has to write the whole answer; headers that belong
// to the refusal, such as WWW-Authenticate, are set by then. The error is a [*RejectError], whose text is meant
// for clients and quotes nothing of the request. Where options leave it nil, the answer is a JSON error:
//
//	{"error":{"type":"authentication_error","message":"…"}}
type RejectFunc = func(w http.ResponseWriter, r *http.Request, err error)

// RejectError is why middleware refused a request.
type RejectError struct {
	// Status is the answer's: 401, 403, 414 or 431.
	Status int
	// Type is the kind of error on the wire, such as "authentication_error".
	Type string
	// Header names the request header at fault. It is empty where there is no single one.
	Header string
	// Err is or wraps one of the package's sentinels, such as [ErrBadKey].
	Err error
}

// Error is the text of Err.
func (e *RejectError) Error() string { return e.Err.Error() }

// Unwrap gives Err.
func (e *RejectError) Unwrap() error { return e.Err }

// rejectJSON is the RejectFunc of options that have none.
func rejectJSON(w http.ResponseWriter, _ *http.Request, err error) {
	type detail struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}
	status, kind := http.StatusForbidden, "permission_error"
	if e, ok := errors.AsType[*RejectError](err); ok {
		status, kind = e.Status, e.Type
	}
	body, err := json.Marshal(map[string]detail{"error": {Type: kind, Message: err.Error()}})
	if err != nil {
		body = nil // two strings always marshal; the status says enough
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// orJSON is reject, or rejectJSON if there is none.
func orJSON(reject RejectFunc) RejectFunc {
	if reject == nil {
		return rejectJSON
	}
	return reject
}
