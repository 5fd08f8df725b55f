package store_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
	"github.com/ccproxy-go/ccproxy/oauth/store"
)

const saverCommand = "store-saver"

// keepSaving is what the processes do that TestKilledWhileSaving kills: they save a login of 3 KB again and
// again, and tell the generation of each Save that returned.
func keepSaving(args []string) bool {
	if len(args) != 4 || args[1] != saverCommand {
		return false
	}
	s, err := open(args[2])
	first, _ := strconv.ParseUint(args[3], 10, 64)
	for generation := first; err == nil; generation++ {
		err = s.Save(context.Background(), onlyID, generationOf(generation))
		if err == nil {
			_, err = fmt.Println(generation)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return true
}

// generationOf makes credentials whose parts say that they belong together.
func generationOf(n uint64) *oauth.Credentials {
	token := fmt.Sprintf("%d-%s", n, strings.Repeat("x", 1000))
	return &oauth.Credentials{
		AccessToken: oauth.NewSecret("a" + token), RefreshToken: oauth.NewSecret("r" + token),
		IDToken: oauth.NewSecret("i" + token), Generation: n,
	}
}

// TestKilledWhileSaving kills processes at random moments. Whatever they were doing, the file holds what the
// last Save wrote that returned, or what the one after it would have written, and nothing else is left.
func TestKilledWhileSaving(t *testing.T) {
	t.Parallel()
	kills := 1000
	if testing.Short() || raceEnabled {
		kills = 60
	}
	dir := t.TempDir()
	path := filepath.Join(dir, ".credentials.json")
	other := `{"mcpOAuth":{"server":{"token":"kept"}}}`
	write(t, path, other)
	file := &store.File{Path: path, ID: onlyID, Shape: store.Claude{}}
	acked, strays, lost := uint64(0), 0, 0
	started := time.Now()
	budget := 40 * time.Second
	done := 0
	for ; done < kills && time.Since(started) < budget; done++ {
		acked = max(acked, killedSaver(t, "claude:"+path, acked+1))
		strays += countTemps(t, dir)
		c, err := file.Load(t.Context(), onlyID)
		if acked == 0 && err != nil {
			continue // killed before it had saved at all
		}
		if err != nil {
			t.Fatalf("after kill %d: Load = %v", done+1, err)
		}
		want := generationOf(c.Generation)
		if !want.AccessToken.Equal(c.AccessToken) || !want.RefreshToken.Equal(c.RefreshToken) ||
			!want.IDToken.Equal(c.IDToken) {
			t.Fatalf("after kill %d: the file mixes two saves", done+1)
		}
		if c.Generation < acked {
			lost++
		}
		acked = max(acked, c.Generation)
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("after kill %d: mode %v, %v; want 0600", done+1, info.Mode(), err)
		}
		if !strings.Contains(read(t, path), `"mcpOAuth":{"server":{"token":"kept"}}`) {
			t.Fatalf("after kill %d: what else was in the file is gone", done+1)
		}
	}
	t.Logf("%d kills in %v, %d saves, unfinished files seen after a kill: %d",
		done, time.Since(started).Round(time.Millisecond), acked, strays)
	if lost > 0 {
		t.Errorf("%d times a save was lost that had returned", lost)
	}
	if err := file.Save(t.Context(), onlyID, generationOf(acked+1)); err != nil {
		t.Fatal(err)
	}
	if n := countTemps(t, dir); n > 0 {
		t.Errorf("%d unfinished files are left after the next save", n)
	}
	if names := names(t, dir); len(names) != 1 {
		t.Errorf("the directory holds %q, want the login alone", names)
	}
}

// killedSaver runs a process, kills it within some milliseconds of its first save, and gives the last generation
// that it had saved for certain; zero if it was killed before that.
func killedSaver(t *testing.T, place string, first uint64) (acked uint64) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, saverCommand, place, strconv.FormatUint(first, 10))
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	tell := func() {
		if line, err := lines.ReadString('\n'); err == nil {
			acked, _ = strconv.ParseUint(strings.TrimSpace(line), 10, 64)
		}
	}
	for range rand.IntN(3) { // the first saves begin in different states
		tell()
	}
	pause := time.NewTimer(rand.N(4 * time.Millisecond))
	<-pause.C
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(lines)
	for _, line := range strings.SplitAfter(string(rest), "\n") {
		if n, ok := strings.CutSuffix(line, "\n"); ok {
			acked, _ = strconv.ParseUint(n, 10, 64)
		}
	}
	_ = cmd.Wait() // it says that it was killed
	return acked
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func countTemps(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	for _, name := range names(t, dir) {
		if strings.HasSuffix(name, ".tmp") {
			n++
		}
	}
	return n
}
