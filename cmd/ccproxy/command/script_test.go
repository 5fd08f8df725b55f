package command

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// TestScripts runs the scripts of testdata/script. The program runs in the test's process: "ccproxy" is one command
// line, "exits" compares the exit code of the last one. What TYPED holds comes in as standard input.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Values["state"] = new(scriptState)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", "")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ccproxy": runProgram, "exits": compareExit},
	})
}

// scriptState is what the commands of one script share.
type scriptState struct {
	login oauthtest.Server
	exit  int
}

func stateOf(ts *testscript.TestScript) *scriptState {
	s, ok := ts.Value("state").(*scriptState)
	if !ok {
		ts.Fatalf("no state")
	}
	return s
}

func runProgram(ts *testscript.TestScript, fails bool, args []string) {
	var environ []string
	for _, name := range []string{
		"HOME", "XDG_CONFIG_HOME", "CONFIG_FILE", "SERVER__PORT", "SERVER__HOST", "SECURITY__AUTH_TOKEN",
		"ANTHROPIC_API_KEY", "PLUGINS__ECHO__DELAY", "PLUGINS__OAUTH_TEST__ENABLED", "ENABLED_PLUGINS",
	} {
		environ = append(environ, name+"="+ts.Getenv(name))
	}
	s := stateOf(ts)
	s.exit = Run(context.Background(), Options{
		Factories: append(bundled.Factories(), loginPlugin(&s.login), commandPlugin()),
		Stdin:     strings.NewReader(ts.Getenv("TYPED")), Stdout: ts.Stdout(), Stderr: ts.Stderr(),
		Environ: environ, Dir: ts.MkAbs("."),
	}, args)
	if (s.exit != ExitOK) != fails {
		ts.Fatalf("exit code %d", s.exit)
	}
}

func compareExit(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(strings.Join(args, " "))
	if s := stateOf(ts); err != nil || s.exit != want {
		ts.Fatalf("exit code %d, want %v", s.exit, args)
	}
}

// commandPlugin brings a command at the top, one below another, and one that is not for commands to start.
func commandPlugin() ccproxy.Factory {
	say := func(*ccproxy.PluginContext) (func(context.Context, ccproxy.Invocation) error, error) {
		return func(_ context.Context, inv ccproxy.Invocation) error {
			in, err := io.ReadAll(inv.Stdin)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(inv.Stdout, "%s loud=%s %q %q\n", inv.Flags["greeting"], inv.Flags["loud"], inv.Args, in)
			return err
		}, nil
	}
	options := []ccproxy.CommandOption{
		{Name: "greeting", Description: "what to say", Default: "hello"}, {Name: "loud", Switch: true},
	}
	return ccproxy.NewFactory(ccproxy.Manifest{
		Name: "greeter", Version: "1.2.3", Description: "Greets", CLISafe: true,
		Commands: []ccproxy.CommandSpec{
			{Name: "greet", Description: "Greet somebody", Options: options, New: say},
			{Name: "again", Description: "Greet once more", Parent: "greetings", Options: options, New: say},
		},
	}, nil)
}

func manifestFactory(m ccproxy.Manifest) ccproxy.Factory { return ccproxy.NewFactory(m, nil) }
