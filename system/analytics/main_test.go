package analytics_test

import (
	"log"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPath); path != "" {
		log.Fatal(writeUntilKilled(path))
	}
	goleak.VerifyTestMain(m)
}
