package permissions

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(idle{m})
}

// idle closes the connections that tests keep for the next request.
type idle struct{ m *testing.M }

func (i idle) Run() int {
	defer http.DefaultClient.CloseIdleConnections()
	return i.m.Run()
}
