package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// program is the program itself, as a user runs it.
type program struct {
	cmd     *exec.Cmd
	address string
	banner  string
	log     *log
}

// build compiles the program.
func build(t *testing.T) (binary string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("processes get no signals there")
	}
	if testing.Short() {
		t.Skip("compiles a program")
	}
	binary = filepath.Join(t.TempDir(), "server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

func startProgram(t *testing.T, binary string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(binary, append([]string{"-port", "0"}, args...)...), log: newLog()}
	p.cmd.Dir, p.cmd.Stderr = t.TempDir(), p.log
	p.cmd.Env = []string{"HOME=" + p.cmd.Dir}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	for lines := bufio.NewReader(stdout); !strings.Contains(p.banner, "  curl "); {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("no banner: %v\n%s", err, p.log)
		}
		p.banner += line
	}
	p.address = regexp.MustCompile(`http://\S+`).FindString(p.banner)
	return p
}

func (p *program) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestProgramStopsUnderLoad sends SIGTERM while slow streams run: each arrives to the last byte, and the program
// says that all is well.
func TestProgramStopsUnderLoad(t *testing.T) {
	t.Parallel()
	const clients, each = 4, 5
	p := startProgram(t, build(t), "-config", tempFile(t, "[plugins.echo]\ndelay = \"40ms\"\n"))
	first := &http.Client{Transport: &http.Transport{}}
	defer first.CloseIdleConnections()
	want := openStream(t.Context(), t, first, p.address, words(30)).rest(t)
	var opened, readers sync.WaitGroup
	stopped := make(chan struct{})
	for range clients {
		client := &http.Client{Transport: &http.Transport{}}
		t.Cleanup(client.CloseIdleConnections)
		for range each {
			opened.Add(1)
			readers.Go(func() {
				s := openStream(t.Context(), t, client, p.address, words(30))
				opened.Done()
				<-stopped
				if s == nil {
					return
				}
				if got := s.rest(t); got != want {
					t.Errorf("stream differs (-want +got):\n%s", cmp.Diff(want, got))
				}
			})
		}
	}
	opened.Wait()
	p.signal(t, syscall.SIGTERM)
	p.log.await(t, `"msg":"stopping"`, 1)
	if log := p.log.String(); strings.Count(log, `"msg":"request"`) != 1 {
		t.Errorf("streams were over before the program stopped:\n%s", log)
	}
	close(stopped)
	readers.Wait()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v:\n%s", err, p.log)
	}
	if n := strings.Count(p.log.String(), `"path":"/echo/v1/messages","status_code":200`); n != 1+clients*each {
		t.Errorf("%d streams in the log, want %d:\n%s", n, 1+clients*each, p.log)
	}
}

// TestProgramSignals reloads by SIGHUP, and ends at once with the second SIGTERM though a stream runs.
func TestProgramSignals(t *testing.T) {
	t.Parallel()
	path := tempFile(t, "")
	p := startProgram(t, build(t), "-config", path)
	pasted(t, p)
	overwrite(t, path, "[plugins.echo]\ndelay = \"200ms\"\n")
	p.signal(t, syscall.SIGHUP)
	p.log.await(t, `"msg":"configuration loaded"`, 1)

	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	running := openStream(t.Context(), t, client, p.address, words(500)) // that takes 100 seconds
	defer running.resp.Body.Close()
	p.signal(t, syscall.SIGTERM)
	p.log.await(t, `"msg":"stopping"`, 1)
	p.signal(t, syscall.SIGTERM)
	exit, ok := errors.AsType[*exec.ExitError](p.cmd.Wait())
	if !ok {
		t.Fatalf("the program came to its end:\n%s", p.log)
	}
	if status, isUnix := exit.Sys().(syscall.WaitStatus); !isUnix || status.Signal() != syscall.SIGTERM {
		t.Errorf("the program ended with %v, want the signal", exit)
	}
	if _, err := io.ReadAll(running.in); err == nil {
		t.Error("the stream ended as if it were whole")
	}
}

// pasted gives the banner's command to a shell, if this machine has what it needs.
func pasted(t *testing.T, p *program) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Log("no curl")
		return
	}
	_, command, _ := strings.Cut(p.banner, "Try it:\n")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"text":"Hello"`) {
		t.Errorf("the banner's command says %s, %v", out, err)
	}
}
