package command

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy"
	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/oauthtest"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

// user is somebody with a shell, a home directory and a login at a fake authorization server.
type user struct {
	server  oauthtest.Server
	options Options
	home    string
}

func newUser(t *testing.T, change ...func(*oauth.ProviderConfig)) *user {
	t.Helper()
	u := &user{home: t.TempDir()}
	u.options = Options{
		Factories: []ccproxy.Factory{loginPlugin(&u.server, change...)}, Dir: u.home, Environ: []string{"HOME=" + u.home},
	}
	return u
}

// agree is a browser whose user agrees at once.
func (u *user) agree(t *testing.T) func(string) error {
	t.Helper()
	return func(address string) error {
		callback, err := u.server.Consent(address)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, callback, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
}

// stored is where logins go without flags.
func (u *user) stored() *store.Dir {
	return &store.Dir{Path: filepath.Join(u.home, ".config", "ccproxy", "credentials")}
}

func (u *user) credentials(t *testing.T) *oauth.Credentials {
	t.Helper()
	c, err := u.stored().Load(t.Context(), "test-login")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs a command line to its end.
func (u *user) run(t *testing.T, typed string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	o := u.options
	o.Stdin = strings.NewReader(typed)
	p := start(t, o, args...)
	p.wait(t, want)
	return p.stdout.String(), p.stderr.String()
}

func (u *user) login(t *testing.T) {
	t.Helper()
	if err := u.stored().Save(t.Context(), "test-login", u.server.Login()); err != nil {
		t.Fatal(err)
	}
}

// has looks for what a user has to see, and for what nobody may.
func has(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	for _, secret := range []string{"oauthtest-access", "oauthtest-refresh"} {
		if strings.Contains(text, secret) {
			t.Errorf("a token is shown:\n%s", text)
		}
	}
}

// TestLoginByBrowser logs in with a browser that comes back to the command, and sees the login until it logs out.
func TestLoginByBrowser(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	stdout, stderr := u.run(t, "", ExitFailure, "auth", "status", "test-login")
	has(t, stdout, "none")
	has(t, stderr, `not logged in, see "ccproxy auth login test-login"`)

	u.options.OpenBrowser = u.agree(t)
	stdout, stderr = u.run(t, "", ExitOK, "auth", "login", "oauth_test")
	has(t, stdout, "logged in to test-login as ")
	has(t, stderr, "The browser is open", "plugins.oauth_test.enabled = true")

	stdout, _ = u.run(t, "", ExitOK, "auth", "status", "test-login")
	has(t, stdout, "valid", "refresh token  yes", "59m")
	stdout, _ = u.run(t, "", ExitOK, "auth", "status", "test-login", "--json", "--detailed")
	has(t, stdout, `"state": "valid"`, `"access_token": "***`)
	stdout, _ = u.run(t, "", ExitOK, "auth", "status")
	has(t, stdout, "test-login", "valid")
	stdout, _ = u.run(t, "", ExitOK, "auth", "providers")
	has(t, stdout, "Test test-login", "browser, device, code, PKCE", "oauth_test", "no")

	before := u.credentials(t)
	stdout, _ = u.run(t, "", ExitOK, "auth", "renew", "test-login")
	has(t, stdout, "ACCESS TOKEN", "profile inference")
	if now := u.credentials(t); !u.server.Newest(now) || now.AccessToken.Equal(before.AccessToken) {
		t.Error("the refresh is not saved")
	}

	_, stderr = u.run(t, "n\n", ExitFailure, "auth", "logout", "test-login")
	has(t, stderr, "nothing was done")
	_, stderr = u.run(t, "", ExitFailure, "auth", "logout", "test-login")
	has(t, stderr, "--yes")
	after := u.credentials(t)
	stdout, _ = u.run(t, "y\n", ExitOK, "auth", "logout", "test-login")
	has(t, stdout, "logged out of test-login")
	if _, err := u.stored().Load(t.Context(), "test-login"); !errors.Is(err, oauth.ErrNoCredentials) || !u.server.Revoked(after) {
		t.Errorf("after the logout: %v", err)
	}
	stdout, _ = u.run(t, "", ExitOK, "auth", "logout", "test-login")
	has(t, stdout, "nobody is logged in")
	stdout, _ = u.run(t, "", ExitFailure, "auth", "refresh", "test-login")
	has(t, stdout)
}

// TestLogoutWithoutServer deletes the login though the server was not seen to revoke it, and says so.
func TestLogoutWithoutServer(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.login(t)
	u.server.Fail(oauthtest.Revoke, oauthtest.Fault{Status: http.StatusServiceUnavailable})
	stdout, stderr := u.run(t, "", ExitFailure, "auth", "logout", "test-login", "-y")
	has(t, stdout, "logged out of test-login")
	has(t, stderr, "may still be valid at the server")
	if _, err := u.stored().Load(t.Context(), "test-login"); !errors.Is(err, oauth.ErrNoCredentials) {
		t.Errorf("after the logout: %v", err)
	}
}

// typist is a terminal where somebody answers what the program asks.
type typist struct {
	program *process
	keys    *io.PipeWriter
}

// sit starts a program at which somebody sits.
func (u *user) sit(t *testing.T, args ...string) *typist {
	t.Helper()
	stdin, keys := io.Pipe()
	t.Cleanup(func() { _ = keys.Close() })
	o := u.options
	o.Stdin = stdin
	return &typist{program: start(t, o, args...), keys: keys}
}

func (ty *typist) enter(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(ty.keys, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// TestLoginByHand pastes the address, after one that is not right. Without a browser this is what is done.
func TestLoginByHand(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"asked for": {"auth", "login", "test-login", "--manual"}, "no browser": {"auth", "login", "test-login"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, func(c *oauth.ProviderConfig) { c.Login.Device = false })
			ty := u.sit(t, args...)
			address := ty.program.stderr.await(t, `(https://oauth.test/authorize\S+)\n`)
			callback, err := u.server.Consent(address)
			if err != nil {
				t.Fatal(err)
			}
			ty.enter(t, "http://elsewhere.example/?code=x&state=y")
			ty.program.stderr.await(t, "Once more, please")
			ty.enter(t, callback)
			ty.program.wait(t, ExitOK)
			has(t, ty.program.stdout.String(), "logged in to test-login")
			if !u.server.Newest(u.credentials(t)) {
				t.Error("the login is not saved")
			}
		})
	}
}

// TestLoginWithTakenPort falls back to pasting.
func TestLoginWithTakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	redirect := "http://" + taken.Addr().String() + "/callback"
	u := newUser(t, func(c *oauth.ProviderConfig) { c.Login.LoopbackURI = redirect })
	ty := u.sit(t, "auth", "login", "test-login", "--no-browser")
	ty.program.stderr.await(t, "That did not work: .*listen.*A code can be pasted instead")
	callback, err := u.server.Consent(ty.program.stderr.await(t, `(https://oauth.test/authorize\S+)\n`))
	if err != nil {
		t.Fatal(err)
	}
	ty.enter(t, callback)
	ty.program.wait(t, ExitOK)
}

// TestLoginByDevice types the code in elsewhere.
func TestLoginByDevice(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.server.DeviceInterval = time.Second
	p := start(t, u.options, "auth", "login", "test-login") // no browser here
	code := p.stderr.await(t, `enter the code  (\S+)\n`)
	if !u.server.ApproveDevice(code) {
		t.Fatalf("the server does not know %q", code)
	}
	p.wait(t, ExitOK)
	has(t, p.stdout.String(), "logged in to test-login")
}

// TestInterruptedLogin ends with the exit code of Ctrl-C, and changes nothing.
func TestInterruptedLogin(t *testing.T) {
	t.Parallel()
	for name, flag := range map[string]string{"browser": "--no-browser", "device": "--device", "manual": "--manual"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			ty := u.sit(t, "auth", "login", "test-login", flag)
			ty.program.stderr.await(t, `https://oauth.test/\S+`)
			ty.program.stop()
			ty.program.wait(t, ExitUsage)
			has(t, ty.program.stderr.String(), "ccproxy: interrupted")
			if _, err := u.stored().Load(context.Background(), "test-login"); !errors.Is(err, oauth.ErrNoCredentials) {
				t.Errorf("after Ctrl-C: %v", err)
			}
		})
	}
}

// TestOwnFile leaves the usual place alone, and a file that is there, too.
func TestOwnFile(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.login(t)
	usual := u.credentials(t)
	u.options.OpenBrowser = u.agree(t)
	stdout, _ := u.run(t, "", ExitOK, "auth", "login", "test-login", "--file", "mine.json")
	has(t, stdout, "kept in "+filepath.Join(u.home, "mine.json"))
	if info, err := os.Stat(filepath.Join(u.home, "mine.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mine.json: %v, %v", info, err)
	}
	_, stderr := u.run(t, "", ExitFailure, "auth", "login", "test-login", "--file", "mine.json")
	has(t, stderr, "--force")
	u.run(t, "", ExitOK, "auth", "login", "test-login", "--file", "mine.json", "--force")
	stdout, _ = u.run(t, "", ExitOK, "auth", "status", "test-login", "--file", "mine.json", "-d")
	has(t, stdout, "valid", "access token ends in", "mine.json")
	u.run(t, "", ExitOK, "auth", "refresh", "test-login", "--file", "mine.json")
	u.run(t, "", ExitOK, "auth", "logout", "test-login", "--file", "mine.json", "-y")
	if c := u.credentials(t); !c.AccessToken.Equal(usual.AccessToken) || u.server.Revoked(c) {
		t.Error("the usual login has changed")
	}
	_, stderr = u.run(t, "", ExitUsage, "auth", "refresh", "test-login", "--file", "missing.json")
	has(t, stderr, "missing.json")
}

// TestExpiredLogin tells a login that helps itself from one that does not.
func TestExpiredLogin(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	c := u.server.Login()
	c.Expiry = time.Now().Add(-time.Hour)
	if err := u.stored().Save(t.Context(), "test-login", c); err != nil {
		t.Fatal(err)
	}
	stdout, _ := u.run(t, "", ExitOK, "auth", "status", "test-login")
	has(t, stdout, "refreshable", "expired")
	u.server.Fail(oauthtest.Token, oauthtest.Fault{Status: http.StatusBadRequest, Body: `{"error":"invalid_grant"}`})
	_, stderr := u.run(t, "", ExitFailure, "auth", "refresh", "test-login")
	has(t, stderr, `log in with "ccproxy auth login test-login"`)
	path := filepath.Join(u.stored().Path, "test-login.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr = u.run(t, "", ExitFailure, "auth", "status", "test-login")
	has(t, stdout+stderr, "unreadable", "corrupt")
}

// TestServeFindsLogin has the server see what a command logged in.
func TestServeFindsLogin(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.options.OpenBrowser = u.agree(t)
	u.run(t, "", ExitOK, "auth", "login", "test-login")
	p := start(t, u.options, "serve", "-p", "0", "--enable-plugin", "oauth_test")
	address := p.stdout.await(t, `on (http://\S+)\n`)
	status, body := get(t, address+"/oauth/test-login/status", "")
	if status != http.StatusOK || !strings.Contains(body, u.credentials(t).AccountID) {
		t.Errorf("status of the login: %d %s", status, body)
	}
	has(t, body)
	p.stop()
	p.wait(t, ExitOK)
}
