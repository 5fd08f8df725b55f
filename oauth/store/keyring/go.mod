module github.com/ccproxy-go/ccproxy/oauth/store/keyring

go 1.26.0

replace github.com/ccproxy-go/ccproxy => ../../..

require (
	github.com/ccproxy-go/ccproxy v0.0.0
	github.com/zalando/go-keyring v0.2.8
	go.uber.org/goleak v1.3.0
)

require (
	github.com/danieljoos/wincred v1.2.3 // indirect
	github.com/godbus/dbus/v5 v5.2.2 // indirect
	github.com/gofrs/flock v0.13.1 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
