package store_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
	"github.com/ccproxy-go/ccproxy/oauth/store/storetest"
)

func TestMain(m *testing.M) {
	if storetest.Child(os.Args, open) || keepSaving(os.Args) {
		return
	}
	goleak.VerifyTestMain(m)
}

// onlyID is the id of stores that hold one login.
const onlyID = "vendor"

// open opens a store by kind and path, as other processes do.
func open(place string) (oauth.Store, error) {
	kind, path, _ := strings.Cut(place, ":")
	switch kind {
	case "native":
		return &store.File{Path: path, ID: onlyID}, nil
	case "claude":
		return &store.File{Path: path, ID: onlyID, Shape: store.Claude{}}, nil
	case "codex":
		return &store.File{Path: path, ID: onlyID, Shape: store.Codex{}}, nil
	case "dir":
		return &store.Dir{Path: path}, nil
	}
	return nil, fmt.Errorf("no store of kind %q", kind)
}
