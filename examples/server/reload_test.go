package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
)

const slowEcho = "[plugins.echo]\ndelay = \"30ms\"\nprefix = \"old \"\n"

// TestReload changes the file while a stream runs: the stream ends as it began, and what comes after it is new.
func TestReload(t *testing.T) {
	t.Parallel()
	path := tempFile(t, slowEcho)
	r := start(t, "", "-config", path)
	running := openStream(t.Context(), t, r.client, r.address, words(60))
	overwrite(t, path, "[plugins.echo]\nprefix = \"new \"\n[logging]\nlevel = \"debug\"\n[server]\nidle_timeout = 1\n")
	r.hangup <- syscall.SIGHUP
	for {
		status, body := r.do(t, r.try(t))
		if status != http.StatusOK {
			t.Fatalf("while it reloads: %d %s", status, body)
		}
		if strings.Contains(body, `"text":"new Hello"`) {
			break
		}
	}
	if log := r.log.String(); strings.Contains(log, `"msg":"configuration loaded"`) {
		t.Errorf("the stream is over before the new configuration is in use:\n%s", log)
	}
	whole := running.rest(t)
	if !strings.Contains(whole, `"text":"old "`) || strings.Count(whole, `"text":"word`) != 60 ||
		!strings.HasSuffix(whole, "data: {\"type\":\"message_stop\"}\n\n") {
		t.Errorf("the stream that ran meanwhile is not whole:\n%s", whole)
	}
	r.log.await(t, `"msg":"configuration loaded"`, 1)
	for _, want := range []string{
		`"msg":"[logging] takes effect with a restart"`,
		`"msg":"these keys take effect with a restart","keys":["server.idle_timeout"]`,
	} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("log lacks %s:\n%s", want, r.log)
		}
	}
	r.wait(t)
}

// TestReloadOfAWrongFile holds that nothing changes, and that the log says why.
func TestReloadOfAWrongFile(t *testing.T) {
	t.Parallel()
	path := tempFile(t, "[plugins.echo]\nprefix = \"old \"\n")
	r := start(t, "", "-config", path)
	overwrite(t, path, "[plugins.echo]\nprefix = \"new \"\ndelai = 1\n")
	r.hangup <- syscall.SIGHUP
	r.log.await(t, "configuration not reloaded, the running one stays", 1)
	r.hangup <- syscall.SIGHUP // what watches the file has told it once, a signal is answered each time
	r.log.await(t, "configuration not reloaded, the running one stays", 2)
	if !strings.Contains(r.log.String(), path+`:3:1: plugins.echo.delai: unknown key (did you mean \"delay\"?)`) {
		t.Errorf("the log does not say what is wrong:\n%s", r.log)
	}
	if status, body := r.do(t, r.try(t)); status != http.StatusOK || !strings.Contains(body, `"text":"old Hello"`) {
		t.Errorf("answer = %d %s, want the old configuration's", status, body)
	}
	r.wait(t)
}

// TestReloadWithoutKeys holds that a server which others can reach does not lose its keys while it runs.
func TestReloadWithoutKeys(t *testing.T) {
	t.Parallel()
	path := tempFile(t, "security.auth_token = \""+aKey+"\"\n")
	r := start(t, "", "-config", path, "-host", "0.0.0.0")
	overwrite(t, path, "# no key any more\n")
	r.hangup <- syscall.SIGHUP
	r.log.await(t, "since no key is asked for", 1)
	req := r.try(t)
	if status, body := r.do(t, req); status != http.StatusOK {
		t.Errorf("with the key: %d %s", status, body)
	}
	if status, body := r.get(t, "/plugins"); status != http.StatusUnauthorized {
		t.Errorf("without a key: %d %s, want 401", status, body)
	}
	r.wait(t)
}
