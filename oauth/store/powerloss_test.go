package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ccproxy-go/ccproxy/oauth"
)

// errPower is what an operation of a machine panics with that loses its power.
var errPower = errors.New("no power")

// inode is a file or a directory of a machine.
type inode struct {
	dir            bool
	written, safe  []byte            // content: what a read gives, and what is on the disk
	names, durable map[string]*inode // of a directory: likewise
	pending        []func(map[string]*inode)
}

func newDir() *inode {
	return &inode{dir: true, names: make(map[string]*inode), durable: make(map[string]*inode)}
}

// change does something to a directory's names that is not durable before the directory is synced.
func (n *inode) change(how func(names map[string]*inode)) {
	how(n.names)
	n.pending = append(n.pending, how)
}

// machine is a file system in memory that loses its power before one of its operations. Then content that was not
// synced is gone, as a whole or in part, and of the names that were not synced any are there or not.
type machine struct {
	root   *inode
	random *rand.Rand
	left   int // operations until the power goes
}

var _ fileSystem = (*machine)(nil)

func (m *machine) step() {
	if m.left == 0 {
		panic(errPower)
	}
	m.left--
}

func (m *machine) find(path string) (*inode, error) {
	at := m.root
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if at = at.names[name]; at == nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
	}
	return at, nil
}

func (m *machine) lstat(path string) (fs.FileInfo, error) {
	n, err := m.find(path)
	if err != nil {
		return nil, err
	}
	return nodeInfo{n, filepath.Base(path)}, nil
}

func (m *machine) readlink(path string) (string, error) {
	return "", &fs.PathError{Op: "readlink", Path: path, Err: fs.ErrInvalid}
}

func (m *machine) readDir(path string) ([]fs.DirEntry, error) {
	n, err := m.find(path)
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for name, node := range n.names {
		list = append(list, fs.FileInfoToDirEntry(nodeInfo{node, name}))
	}
	return list, nil
}

func (m *machine) read(path string, _ int64) ([]byte, error) {
	n, err := m.find(path)
	if err != nil {
		return nil, err
	}
	return slices.Clone(n.written), nil
}

func (m *machine) mkdirAll(path string) error {
	at := m.root
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if at.names[name] == nil {
			m.step()
			made := newDir()
			at.change(func(names map[string]*inode) { names[name] = made })
		}
		at = at.names[name]
	}
	return nil
}

func (m *machine) create(path string) (writeFile, error) {
	m.step()
	dir, err := m.find(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	name, n := filepath.Base(path), &inode{}
	dir.change(func(names map[string]*inode) { names[name] = n })
	return &openFile{m, n}, nil
}

func (m *machine) claim(string, writeFile) (func(), error) { return func() {}, nil }

func (m *machine) removeAbandoned(path string) { _ = m.remove(path) }

func (m *machine) rename(from, to string) error {
	m.step()
	dir, err := m.find(filepath.Dir(from))
	if err != nil {
		return err
	}
	n, source, target := dir.names[filepath.Base(from)], filepath.Base(from), filepath.Base(to)
	dir.change(func(names map[string]*inode) { // in one step, as file systems do
		names[target] = n
		if names[source] == n {
			delete(names, source)
		}
	})
	return nil
}

func (m *machine) remove(path string) error {
	m.step()
	dir, err := m.find(filepath.Dir(path))
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	if dir.names[name] == nil {
		return fs.ErrNotExist
	}
	dir.change(func(names map[string]*inode) { delete(names, name) })
	return nil
}

func (m *machine) syncDir(path string) error {
	m.step()
	dir, err := m.find(path)
	if err != nil {
		return err
	}
	for _, how := range dir.pending {
		how(dir.durable)
	}
	dir.pending = nil
	return nil
}

// restart gives what is on the disk when the power is back.
func (m *machine) restart() {
	m.left = -1
	m.survive(m.root)
}

func (m *machine) survive(n *inode) {
	if !n.dir {
		if !slices.Equal(n.safe, n.written) {
			n.safe = n.written[:m.random.IntN(len(n.written)+1)]
		}
		n.written = slices.Clone(n.safe)
		return
	}
	for _, how := range n.pending {
		if m.random.IntN(2) == 0 {
			how(n.durable)
		}
	}
	n.names, n.pending = make(map[string]*inode), nil
	for name, node := range n.durable {
		m.survive(node)
		n.names[name] = node
	}
}

type openFile struct {
	machine *machine
	node    *inode
}

func (f *openFile) Write(b []byte) (int, error) {
	f.machine.step()
	f.node.written = append(f.node.written, b...)
	return len(b), nil
}

func (f *openFile) Sync() error {
	f.machine.step()
	f.node.safe = slices.Clone(f.node.written)
	return nil
}

func (f *openFile) Close() error               { return nil }
func (f *openFile) Stat() (fs.FileInfo, error) { return nodeInfo{f.node, ""}, nil }

type nodeInfo struct {
	node *inode
	name string
}

func (i nodeInfo) Name() string     { return i.name }
func (i nodeInfo) Size() int64      { return int64(len(i.node.written)) }
func (nodeInfo) ModTime() time.Time { return time.Time{} }
func (i nodeInfo) IsDir() bool      { return i.node.dir }
func (nodeInfo) Sys() any           { return nil }
func (i nodeInfo) Mode() fs.FileMode {
	if i.node.dir {
		return fs.ModeDir | dirMode
	}
	return fileMode
}

// TestPowerLoss takes a machine's power away before each operation of some saves and a logout, again and again with
// another fate of what was not synced. What was said to be done is done.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	open := map[string]func(*machine) oauth.Store{
		"file": func(m *machine) oauth.Store { return &File{Path: "/home/.config/ccproxy/login.json", fs: m} },
		"dir":  func(m *machine) oauth.Store { return &Dir{Path: "/home/.config/ccproxy/logins", fs: m} },
		"vendor": func(m *machine) oauth.Store {
			return &File{Path: "/home/.claude/.credentials.json", Shape: Claude{}, fs: m}
		},
	}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			points := 0
			for seed := range uint64(16) {
				for before, over := 0, false; !over; before++ {
					m := &machine{root: newDir(), random: rand.New(rand.NewPCG(seed, uint64(before))), left: before}
					home := newDir()
					m.root.names["home"], m.root.durable["home"] = home, home
					over = blackout(t, m, open(m), seed%2 == 0)
					points++
				}
			}
			if points < 334 {
				t.Errorf("%d moments without power, want a thousand in all three", points)
			}
			t.Logf("%d moments without power", points)
		})
	}
}

// blackout runs saves until the power goes, and looks at what is left. over tells that it did not go.
func blackout(t *testing.T, m *machine, s oauth.Store, logout bool) (over bool) {
	t.Helper()
	acked, deleted, err := untilBlackout(t, s, logout)
	if over = err == nil; over {
		m.left = 0
	}
	m.restart()
	c, loadErr := s.Load(t.Context(), "id")
	none := errors.Is(loadErr, oauth.ErrNoCredentials)
	switch {
	case loadErr != nil && !none:
		t.Fatalf("after generation %d: Load = %v", acked, loadErr)
	case deleted && !none:
		t.Fatalf("after a logout: Load = %v", c)
	case !deleted && none && acked > 0 && !(logout && acked == lastSave):
		t.Fatalf("generation %d was saved and is gone", acked)
	case !none && (c.Generation < acked || c.AccessToken.Reveal() != fmt.Sprint("token ", c.Generation)):
		t.Fatalf("Load = generation %d, want %d", c.Generation, acked)
	}
	if err := s.Save(t.Context(), "id", numbered(lastSave+1)); err != nil {
		t.Fatal(err)
	}
	wantToken(t, s, fmt.Sprint("token ", lastSave+1))
	if n := countFiles(m.root); n != 1 {
		t.Fatalf("%d files are left, want the login alone", n)
	}
	return over
}

func countFiles(n *inode) (count int) {
	if !n.dir {
		return 1
	}
	for _, node := range n.names {
		count += countFiles(node)
	}
	return count
}

// lastSave is the generation of the last save.
const lastSave = 4

func numbered(generation uint64) *oauth.Credentials {
	c := plain(fmt.Sprint("token ", generation))
	c.Generation = generation
	return c
}

// untilBlackout gives what was said to be done.
func untilBlackout(t *testing.T, s oauth.Store, logout bool) (acked uint64, deleted bool, err error) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			err = errPower
		}
	}()
	for generation := range uint64(lastSave) {
		if err := s.Save(t.Context(), "id", numbered(generation+1)); err != nil {
			t.Fatal(err)
		}
		acked = generation + 1
	}
	if logout {
		if err := s.Delete(t.Context(), "id"); err != nil {
			t.Fatal(err)
		}
		deleted = true
	}
	return acked, deleted, nil
}
