package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// faultyDisk is the disk, but for the nth operation of one name, which fails. It tells what was done.
type faultyDisk struct {
	disk
	mu   sync.Mutex
	op   string
	nth  int
	err  error
	done []string
}

func (d *faultyDisk) step(op, path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := filepath.Base(path)
	if isTempName(name) {
		name = "TEMP"
	}
	d.done = append(d.done, op+" "+name)
	if op != d.op {
		return nil
	}
	d.nth--
	if d.nth == 0 {
		return d.err
	}
	return nil
}

func (d *faultyDisk) read(path string, limit int64) ([]byte, error) {
	if err := d.step("read", path); err != nil {
		return nil, err
	}
	return d.disk.read(path, limit)
}

func (d *faultyDisk) readDir(path string) ([]fs.DirEntry, error) {
	if err := d.step("readdir", path); err != nil {
		return nil, err
	}
	return d.disk.readDir(path)
}

func (d *faultyDisk) mkdirAll(path string) error {
	if err := d.step("mkdir", path); err != nil {
		return err
	}
	return d.disk.mkdirAll(path)
}

func (d *faultyDisk) create(path string) (writeFile, error) {
	if err := d.step("create", path); err != nil {
		return nil, err
	}
	f, err := d.disk.create(path)
	return &faultyFile{writeFile: f, disk: d, path: path}, err
}

func (d *faultyDisk) rename(from, to string) error {
	if err := d.step("rename", from); err != nil {
		return err
	}
	return d.disk.rename(from, to)
}

func (d *faultyDisk) remove(path string) error {
	if err := d.step("remove", path); err != nil {
		return err
	}
	return d.disk.remove(path)
}

func (d *faultyDisk) syncDir(path string) error {
	if err := d.step("syncdir", path); err != nil {
		return err
	}
	return d.disk.syncDir(path)
}

type faultyFile struct {
	writeFile
	disk *faultyDisk
	path string
}

// Write writes half of it when it fails, as a full disk does.
func (f *faultyFile) Write(b []byte) (int, error) {
	if err := f.disk.step("write", f.path); err != nil {
		n, _ := f.writeFile.Write(b[:len(b)/2])
		return n, err
	}
	return f.writeFile.Write(b)
}

func (f *faultyFile) Sync() error {
	if err := f.disk.step("sync", f.path); err != nil {
		return err
	}
	return f.writeFile.Sync()
}

func (f *faultyFile) Close() error {
	err := f.writeFile.Close()
	if fault := f.disk.step("close", f.path); fault != nil {
		return fault
	}
	return err
}

func plain(token string) *oauth.Credentials {
	return &oauth.Credentials{AccessToken: oauth.NewSecret(token)}
}

// TestSaveFaults lets each step of a Save fail: the old login is still there, the error is told, nothing is
// left behind, and the next Save succeeds.
func TestSaveFaults(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"read", "mkdir", "create", "write", "sync", "close", "rename", "syncdir"} {
		for _, fault := range []error{syscall.ENOSPC, syscall.EIO} {
			t.Run(fmt.Sprintf("%s %v", op, fault), func(t *testing.T) {
				t.Parallel()
				d := &faultyDisk{op: op, err: fault}
				dir := filepath.Join(t.TempDir(), "logins")
				s := &File{Path: filepath.Join(dir, "login.json"), fs: d}
				if err := s.Save(t.Context(), "id", plain("old")); err != nil {
					t.Fatal(err)
				}
				d.nth = 1
				err := s.Save(t.Context(), "id", plain("new"))
				var at *Error
				if !errors.Is(err, fault) || !errors.As(err, &at) || at.Place != s.Path || errors.Is(err, oauth.ErrCorrupt) {
					t.Errorf("Save = %v, want an Error of the file that wraps %v", err, fault)
				}
				want := "old"
				if op == "syncdir" {
					want = "new" // documented: it is in place, and may be lost with the machine's power
				}
				wantToken(t, s, want)
				if files, _ := os.ReadDir(dir); len(files) != 1 {
					t.Errorf("%d files are left, want one", len(files))
				}
				if err := s.Save(t.Context(), "id", plain("newer")); err != nil {
					t.Errorf("Save after the fault = %v", err)
				}
				wantToken(t, s, "newer")
			})
		}
	}
}

func wantToken(t *testing.T, s oauth.Store, want string) {
	t.Helper()
	c, err := s.Load(t.Context(), "id")
	if err != nil || c.AccessToken.Reveal() != want {
		t.Errorf("Load = %v, %v; want the token %s", c, err, want)
	}
}

// TestLoadFault wants a disk that fails to be told from a login that is missing or corrupt.
func TestLoadFault(t *testing.T) {
	t.Parallel()
	d := &faultyDisk{op: "read", err: syscall.EIO}
	s := &File{Path: filepath.Join(t.TempDir(), "login.json"), fs: d}
	if err := s.Save(t.Context(), "id", plain("t")); err != nil {
		t.Fatal(err)
	}
	d.nth = 1
	_, err := s.Load(t.Context(), "id")
	if !errors.Is(err, syscall.EIO) || errors.Is(err, oauth.ErrCorrupt) || errors.Is(err, oauth.ErrNoCredentials) {
		t.Errorf("Load = %v, want EIO alone", err)
	}
	d.nth = 1
	if err := s.Delete(t.Context(), "id"); !errors.Is(err, syscall.EIO) {
		t.Errorf("Delete = %v, want EIO", err)
	}
	wantToken(t, s, "t")
}

// TestSaveSteps holds the order that survives a loss of power: content before name, name before return.
func TestSaveSteps(t *testing.T) {
	t.Parallel()
	d := new(faultyDisk)
	above := t.TempDir()
	s := &Dir{Path: filepath.Join(above, "logins"), fs: d}
	for range 2 {
		if err := s.Save(t.Context(), "id", plain("t")); err != nil {
			t.Fatal(err)
		}
	}
	write := []string{
		"create TEMP", "write TEMP", "sync TEMP", "close TEMP", "rename TEMP", "syncdir logins",
		"readdir logins", // cleaning up waits until the new tokens are safe
	}
	want := append([]string{"mkdir logins", "syncdir " + filepath.Base(above)}, write...)
	want = append(append(want, "read id.json", "mkdir logins"), write...)
	if diff := cmp.Diff(want, d.done); diff != "" {
		t.Errorf("steps mismatch (-want +got):\n%s", diff)
	}
	d.done = nil
	if err := s.Delete(t.Context(), "id"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"read id.json", "readdir logins", "remove id.json", "syncdir logins"}, d.done); diff != "" {
		t.Errorf("steps of Delete mismatch (-want +got):\n%s", diff)
	}
}

// sweepingDisk is the disk of a machine on which another process cleans up at the worst moment.
type sweepingDisk struct {
	disk
	left int
}

func (d *sweepingDisk) create(path string) (writeFile, error) {
	f, err := d.disk.create(path)
	if d.left > 0 {
		d.left--
		sweep(disk{}, filepath.Dir(path), "")
	}
	return f, err
}

func TestSweptWhileSaving(t *testing.T) {
	t.Parallel()
	s := &File{Path: filepath.Join(t.TempDir(), "login.json"), fs: &sweepingDisk{left: 3}}
	if err := s.Save(t.Context(), "id", plain("t")); err != nil {
		t.Fatal(err)
	}
	wantToken(t, s, "t")
}

// TestSweepSparesTheLiving lets one file be written while another Save cleans up.
func TestSweepSparesTheLiving(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	temp := filepath.Join(dir, tempName())
	f, err := disk{}.create(temp)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	release, err := disk{}.claim(temp, f)
	if err != nil {
		t.Fatal(err)
	}
	sweep(disk{}, dir, "")
	if _, err := os.Lstat(temp); err != nil {
		t.Errorf("a file that is being written was removed: %v", err)
	}
	release()
	foreign := filepath.Join(dir, ".ccproxy-notes.tmp")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sweep(disk{}, dir, "")
	if _, err := os.Lstat(temp); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an abandoned file is still there: %v", err)
	}
	if _, err := os.Lstat(foreign); err != nil {
		t.Errorf("a file of somebody else was removed: %v", err)
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, id, want string }{
		{"plain", "claude-api", "claude-api.json"},
		{"mail", "me+x@example.org", "me+x@example.org.json"},
		{"case", "Aa", "%41a.json"},
		{"parent", "..", "%2e..json"},
		{"path", "../a", "%2e.%2fa.json"},
		{"hidden", ".a", "%2ea.json"},
		{"device", "nul", "%6eul.json"},
		{"device with ending", "com1.x", "%63om1.x.json"},
		{"percent", "%41", "%2541.json"},
		{"bytes", "\xff\x00", "%ff%00.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := fileName(tt.id)
			if !ok || got != tt.want {
				t.Errorf("fileName(%q) = %q, %t; want %q", tt.id, got, ok, tt.want)
			}
			if id, ok := idOf(got); !ok || id != tt.id {
				t.Errorf("idOf(%q) = %q, %t; want %q", got, id, ok, tt.id)
			}
		})
	}
	for _, name := range []string{"", ".json", "A.json", "%61.json", "%4.json", "%zz.json", "a.txt", "a.json.ccproxy.lock"} {
		if id, ok := idOf(name); ok {
			t.Errorf("idOf(%q) = %q, want none", name, id)
		}
	}
	if _, ok := fileName(strings.Repeat("\x00", 66)); !ok {
		t.Error("66 bytes do not fit")
	}
}

func TestKeyedLockForgets(t *testing.T) {
	t.Parallel()
	var l keyedLock
	for i := range 100 {
		unlock, err := l.lock(t.Context(), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		unlock()
		unlock() // the second time is none
	}
	if len(l.byKey) != 0 {
		t.Errorf("%d keys are kept of locks that nobody holds", len(l.byKey))
	}
}
