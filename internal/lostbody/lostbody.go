// Package lostbody takes back what a handler has said of an answer that does not come.
package lostbody

import "net/http"

// Forget deletes the fields that describe a body, so that they do not describe the error that is sent in its place.
func Forget(h http.Header) {
	for _, name := range [...]string{
		"Content-Length", "Content-Range", "Content-Encoding", "Content-Type", "Content-Disposition",
		"Cache-Control", "Etag", "Last-Modified", "Trailer",
	} {
		delete(h, name)
	}
}
