package reload

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
	"github.com/nexios-go/nexios/cmd/nexios/reload/process"
)

// installDlv installs dlv for the test unless it is there already.
func installDlv(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs dlv, which takes long to install, and permission to debug")
	}
	if _, err := process.FindDlv(); err == nil {
		return
	}
	bin := t.TempDir()
	cmd := exec.Command("go", "install", process.DlvModule)
	cmd.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dlv is missing and cannot be installed: %v\n%s  try: go install %s", err, out, process.DlvModule)
	}
	t.Setenv("GOBIN", bin)
}

// attach starts the client of dlv.
func attach(t *testing.T, address string) *terminal {
	t.Helper()
	dlv, err := process.FindDlv()
	if err != nil {
		t.Fatal(err)
	}
	client := &terminal{t: t}
	cmd := exec.Command(dlv, "connect", address)
	cmd.Env = append(os.Environ(), "TERM=dumb", "HOME="+t.TempDir())
	cmd.Stdout, cmd.Stderr = client, client
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	client.keys = keys
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return client
}

// A request halted at a breakpoint survives a reload as long as a client is attached;
// the next version is debugged at the same address.
func TestDelve(t *testing.T) {
	installDlv(t)
	const drain = 5 * time.Second
	d := launchDev(t, sample(), func(o *Options) { o.Delve, o.drain = true, drain })
	address := d.wait(event.KindDebugger).Address
	d.wait(event.KindBuilt)
	d.expect("one", true)
	request := func() chan string {
		response := make(chan string, 1)
		go func() {
			res, err := http.Get(d.url + "/")
			if err != nil {
				response <- err.Error()
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				response <- err.Error()
				return
			}
			response <- string(body)
		}()
		return response
	}

	client := attach(t, address)
	client.press("break sample/part.Version\ncontinue\n")
	client.shows("Breakpoint 1 set at")
	first := request()
	client.shows("> [Breakpoint 1] sample/part.Version()")
	d.write("part/part.go", part("two"))
	d.wait(event.KindBuilt)
	if got := <-request(); got != "two" {
		t.Errorf("the new version responded %q", got)
	}
	time.Sleep(drain + time.Second) // without a client, the old version would be killed after that time
	select {
	case got := <-first:
		t.Errorf("response to the halted request: %q", got)
	default:
	}
	client.press("clearall\ncontinue\n")
	if got := <-first; got != "one" {
		t.Errorf("response to the continued request: %q", got)
	}

	d.write("part/part.go", part("three"))
	if b := d.wait(event.KindBuilt).Build; b.Mode != event.ModeFast {
		t.Errorf("built by %s: %s", b.Mode, b.Why)
	}
	client = attach(t, address)
	client.press("break part.go:7\ncontinue\n") // our compiler run must write the line into the debug information
	client.shows("Breakpoint 1 set at")
	second := request()
	client.shows("> [Breakpoint 1] sample/part.Version()")
	client.press("quit\n") // leaves the program halted
	client.shows("kill the headless instance?")
	client.press("n\n")
	if note := d.wait(event.KindNote).Text; !strings.Contains(note, "stopped at part.go:7") || !strings.Contains(note, address) {
		t.Error(note)
	}
	select {
	case got := <-second:
		t.Errorf("response to the halted request: %q", got)
	default:
	}
	d.write("part/part.go", part("four")) // no client is attached: the request is dropped without waiting
	d.wait(event.KindBuilt)
	d.expect("four", true)
}

// A program that exits on its own is reported as without a debugger.
func TestDelveExit(t *testing.T) {
	installDlv(t)
	d := startDev(t, sample(), func(o *Options) { o.Delve = true })
	d.get("/crash")
	if e := d.wait(event.KindExit); !strings.Contains(e.Text, "exit status 3") {
		t.Error(e.Text)
	}
	d.write("part/part.go", strings.Replace(part("two"), "func Begin() {}", "func Begin() { panic(\"no luck\") }", 1))
	e := d.wait(event.KindFailed)
	if len(e.Build.Errors) != 1 || e.Build.Errors[0].Place() != "part/part.go:4" || e.Build.Errors[0].Message != "panic: no luck" {
		t.Errorf("got %+v", e.Build)
	}
	d.write("part/part.go", part("three"))
	d.wait(event.KindBuilt)
	d.expect("three", true)
}

func TestDelveMissing(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	t.Setenv("PATH", filepath.Dir(goTool))
	t.Setenv("GOBIN", bin)
	dir := t.TempDir()
	lay(t, dir, nil, sample())
	err = Run(t.Context(), Options{Dir: dir, Port: AnyPort, Delve: true, Stdout: io.Discard})
	if want := "dlv, the debugger, was not found\n  where: PATH and " + bin + "\n  try:   go install " + process.DlvModule; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
