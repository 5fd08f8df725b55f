package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccproxy-go/ccproxy/bundled"
)

// workshop is a directory in which the command writes plugins, beside the library.
type workshop struct {
	t            *testing.T
	dir, library string
}

func newWorkshop(t *testing.T) workshop {
	t.Helper()
	library, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return workshop{t: t, dir: t.TempDir(), library: library}
}

func (w workshop) ccproxy(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Run(context.Background(), Options{
		Factories: bundled.Factories(), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Environ: []string{"HOME=" + w.dir}, Dir: w.dir,
	}, args)
	return code, out.String(), errs.String()
}

func (w workshop) write(name, content string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// goTool runs the go command in the directory.
func (w workshop) goTool(args ...string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "go", args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// server writes the example server with three more plugins.
func (w workshop) server() {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.library, "examples", "server", "*.go"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			w.t.Fatal(err)
		}
		source := strings.Replace(string(text), "Register(bundled.Factories()...)",
			"Register(append(bundled.Factories(), mysystem.Factory(), myprovider.Factory(), myauth.Factory())...)", 1)
		if source != string(text) {
			source = strings.Replace(source, "import (",
				"import (\n\"example.com/mysystem\"\n\"example.com/myprovider\"\n\"example.com/myauth\"", 1)
		}
		w.write(filepath.Join("server", filepath.Base(path)), source)
	}
	w.write("server/go.mod", "module example.com/server\n\ngo "+goVersion+"\n")
}

// A plugin of each type compiles, passes its test, and runs in the example server.
func TestScaffold(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds four programs")
	}
	w := newWorkshop(t)
	for _, kind := range []string{"system", "provider", "auth"} {
		code, out, errs := w.ccproxy("plugins", "scaffold", "my_"+kind, "-t", kind, "-v", "1.2.3", "-d", `All "mine"`)
		if want := filepath.Join("my"+kind, "my"+kind+"_test.go"); code != ExitOK || !strings.Contains(out, "created "+want) {
			t.Fatalf("%s: exit code %d\n%s%s", kind, code, out, errs)
		}
	}
	w.server()
	w.write("go.work", fmt.Sprintf("go %s\n\nuse (\n./server\n./mysystem\n./myprovider\n./myauth\n%q\n)\n",
		goVersion, w.library))
	w.goTool("vet", "./mysystem", "./myprovider", "./myauth")
	w.goTool("test", "./mysystem", "./myprovider", "./myauth")
	w.goTool("build", "-o", "program", "./server")

	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,`+
			`"message":{"role":"assistant","content":"Hello!"},"finish_reason":"stop"}]}`)
	}))
	t.Cleanup(api.Close)
	w.write("ccproxy.toml", fmt.Sprintf(`
		[plugins.my_provider]
		enabled = true
		base_url = %q
		[plugins.my_auth]
		enabled = true
		client_id = "me"
		authorize_url = "https://auth.example.com/authorize"
		token_url = "https://auth.example.com/token"
	`, api.URL))
	address := w.serve()
	ask := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`
	for _, tt := range []struct{ method, path, body, want string }{
		{http.MethodGet, "/my_system", "", "{}"},
		{http.MethodPost, "/my_provider/v1/messages", ask, "Hello!"},
		{http.MethodGet, "/oauth/providers", "", `"my-auth"`},
		{http.MethodGet, "/plugins", "", `"1.2.3"`},
	} {
		if got := w.ask(tt.method, address+tt.path, tt.body); !strings.Contains(got, tt.want) {
			t.Errorf("%s %s = %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}
}

// serve starts the server and tells its address.
func (w workshop) serve() string {
	w.t.Helper()
	out := newLog()
	cmd := exec.CommandContext(w.t.Context(), filepath.Join(w.dir, "program"), "-config", "ccproxy.toml", "-port", "0")
	cmd.Dir, cmd.Stdout, cmd.Stderr = w.dir, out, out
	cmd.Env = []string{"HOME=" + w.dir}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return out.await(w.t, `on (http://\S+)`)
}

func (w workshop) ask(method, url, body string) string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(got)
}

// What is there stays unless the user says otherwise, and what cannot be a plugin is refused before anything is written.
func TestScaffoldRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, says string
		args       []string
		code       int
	}{
		{name: "no name", args: nil, says: "accepts 1 arg", code: ExitUsage},
		{name: "name", args: []string{"9lives"}, says: `no plugin can be called "9lives"`, code: ExitUsage},
		{name: "type", args: []string{"mine", "-t", "core"}, says: `no type "core"`, code: ExitUsage},
		{name: "lines", args: []string{"mine", "-d", "a\nb"}, says: "more than one line", code: ExitUsage},
		{name: "file", args: []string{"taken"}, says: "config.go is there already; --force replaces it", code: ExitFailure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorkshop(t)
			w.write("taken/config.go", "package mine\n")
			code, _, errs := w.ccproxy(append([]string{"plugins", "scaffold"}, tt.args...)...)
			if code != tt.code || !strings.Contains(errs, tt.says) {
				t.Errorf("exit code %d: %s", code, errs)
			}
			if made, _ := filepath.Glob(filepath.Join(w.dir, "*", "*.go")); len(made) != 1 {
				t.Errorf("there is %v", made)
			}
		})
	}
	w := newWorkshop(t)
	w.write("go.mod", "module example.com/app\n")
	if code, out, errs := w.ccproxy("plugins", "scaffold", "Type", "--no-tests"); code != ExitOK ||
		out != "created typeplugin/typeplugin.go\ncreated typeplugin/config.go\n" {
		t.Errorf("in a module: %d %s%s", code, out, errs)
	}
	if code, out, errs := w.ccproxy("plugins", "scaffold", "type", "--force"); code != ExitOK ||
		!strings.Contains(out, "replaced typeplugin/config.go") {
		t.Errorf("again: %d %s%s", code, out, errs)
	}
}

// A plugin beside the module that one works in is no part of that module.
func TestScaffoldBesideAModule(t *testing.T) {
	w := newWorkshop(t)
	w.write("module/go.mod", "module example.com/module\n")
	t.Chdir(filepath.Join(w.dir, "module"))
	w.dir = ""
	if code, _, errs := w.ccproxy("plugins", "scaffold", "beside", "-p", "../beside"); code != ExitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join("..", "beside", "go.mod")); err != nil {
		t.Error(err)
	}
	if code, _, errs := w.ccproxy("plugins", "scaffold", "inside"); code != ExitOK {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join("inside", "go.mod")); err == nil {
		t.Error("a plugin inside of a module became a module of its own")
	}
}
