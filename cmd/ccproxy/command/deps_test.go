package command

import (
	_ "github.com/cli/browser"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/mdp/qrterminal/v3"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "go.uber.org/goleak"
)
