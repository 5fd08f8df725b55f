module github.com/ccproxy-go/ccproxy/test/release

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	go.uber.org/goleak v1.3.0
	golang.org/x/mod v0.42.0
)
