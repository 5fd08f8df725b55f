package main

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test's own binary one of the measured processes where it is started as one.
func TestMain(m *testing.M) {
	if spec := os.Getenv(specVariable); spec != "" {
		exit(serveChild(context.Background(), spec, os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}
