package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/bundled"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
)

// TestScripts runs the scripts of testdata/script. The program runs in the test's process: "ccproxy" is one command
// line, "exits" compares the exit code of the last one. "serving" is a command line that serves: it is asked for the
// paths before "--", whose answers come after its output, and stopped. What TYPED holds comes in as standard input;
// where BROWSER is set, there is a browser whose user agrees to everything.
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
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ccproxy": runProgram, "exits": compareExit, "serving": runServer,
		},
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
	s := stateOf(ts)
	s.exit = Run(context.Background(), optionsOf(ts, ts.Stdout(), ts.Stderr()), args)
	if (s.exit != ExitOK) != fails {
		ts.Fatalf("exit code %d", s.exit)
	}
}

// runServer serves for as long as it takes to ask for some paths.
func runServer(ts *testscript.TestScript, fails bool, args []string) {
	at := slices.Index(args, "--")
	if at < 0 || fails {
		ts.Fatalf("usage: serving PATH... -- ARGUMENT...")
	}
	out, errs := newLog(), newLog()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	exit := make(chan int, 1)
	go func() { exit <- Run(ctx, optionsOf(ts, out, errs), args[at+1:]) }()
	var answers strings.Builder
	if address, ok := out.find(exit, `on (http://\S+)\n`); ok {
		for _, path := range args[:at] {
			answers.WriteString(answer(address+path) + "\n")
		}
	}
	stop()
	s := stateOf(ts)
	s.exit = <-exit
	fmt.Fprint(ts.Stdout(), out, answers.String())
	fmt.Fprint(ts.Stderr(), errs)
	if s.exit != ExitOK {
		ts.Fatalf("exit code %d", s.exit)
	}
}

// find waits until a pattern is there, and gives its first group; or for the end of the program that writes.
func (l *log) find(exit chan int, pattern string) (string, bool) {
	re := regexp.MustCompile(pattern)
	for {
		if found := re.FindStringSubmatch(l.String()); found != nil {
			return found[1], true
		}
		select {
		case <-l.wrote:
		case code := <-exit:
			exit <- code
			return "", false
		}
	}
}

// answer is the status and body of what is at an address.
func answer(address string) string {
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(address)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return resp.Status + " " + string(body)
}

func optionsOf(ts *testscript.TestScript, stdout, stderr io.Writer) Options {
	var environ []string
	for _, name := range []string{
		"HOME", "XDG_CONFIG_HOME", "CONFIG_FILE", "SERVER__PORT", "SERVER__HOST", "SECURITY__AUTH_TOKEN",
		"ANTHROPIC_API_KEY", "PLUGINS__ECHO__DELAY", "PLUGINS__OAUTH_TEST__ENABLED", "ENABLED_PLUGINS",
	} {
		environ = append(environ, name+"="+ts.Getenv(name))
	}
	s := stateOf(ts)
	o := Options{
		Factories: append(bundled.Factories(), loginPlugin(&s.login), commandPlugin()),
		Stdin:     strings.NewReader(ts.Getenv("TYPED")), Stdout: stdout, Stderr: stderr,
		Environ: environ, Dir: ts.MkAbs("."),
	}
	if ts.Getenv("BROWSER") != "" {
		o.OpenBrowser = func(address string) error {
			callback, err := s.login.Consent(address)
			if err == nil {
				_ = answer(callback) // the program says what it made of it
			}
			return err
		}
	}
	return o
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
