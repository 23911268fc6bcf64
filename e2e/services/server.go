package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// patience is how long a server may take to respond on a busy machine.
const patience = 2 * time.Minute

// Server is a running instance.
type Server struct {
	URL     string
	name    string
	dir     string     // its data, socket and log; removed when it stops
	port    int        // on 127.0.0.1
	user    *user.User // user it runs as; nil for the current user
	guard   *os.File   // standard input of its guard
	answers func(context.Context) error
}

func newServer(name string) (*Server, error) {
	dir, err := os.MkdirTemp(memory(), "nexios-"+name+"-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	return &Server{name: name, dir: dir, port: port}, err
}

// guard prepares and runs a server until its standard input is closed, then stops it and
// removes its directory. Only the test process holds the other end of that pipe, so the
// server stops with the process, even if that is killed. Lines on it are signals for the
// server, or start it again.
//
// PostgreSQL waits for its clients on TERM and stops immediately on INT; MariaDB only
// handles TERM.
const guard = `"$@" & server=$!
while read -r line; do
	case $line in
	start) wait $server; "$@" & server=$! ;;
	*) kill -$line $server ;;
	esac
done
kill -CONT $server 2>/dev/null
kill -INT $server 2>/dev/null
kill -TERM $server 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $server 2>/dev/null || break; sleep 0.2; done
kill -KILL $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$SERVER_DIR"`

// run prepares the data with setup, starts the server and waits until it responds.
func (s *Server) run(setup, start []string, answers func(context.Context) error) error {
	if err := s.give(); err != nil {
		return s.failed(err)
	}
	if setup != nil {
		cmd := s.command(setup[0], setup[1:]...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return s.failed(fmt.Errorf("%w: %s", err, bytes.TrimSpace(out)))
		}
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return s.failed(err)
	}
	defer log.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return s.failed(err)
	}
	defer read.Close()
	cmd := s.command("sh", append([]string{"-c", guard, "guard"}, start...)...)
	// Not the output of the test: go test waits until all processes have closed it.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = read, log, log
	if err := cmd.Start(); err != nil {
		write.Close()
		return s.failed(err)
	}
	go cmd.Wait()
	s.guard, s.answers = write, answers
	hold(write)
	if err := s.await(); err != nil {
		text, _ := os.ReadFile(log.Name())
		write.Close()
		return s.failed(fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):]))
	}
	return nil
}

// await waits until the server responds.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer on port %d: %w", s.port, err)
		case <-tick.C:
		}
	}
}

// Signal sends the server a signal by its name: STOP and CONT pause and resume it; INT
// stops it, disconnecting clients of PostgreSQL immediately; QUIT stops it without a clean
// shutdown.
func (s *Server) Signal(name string) error {
	_, err := fmt.Fprintln(s.guard, name)
	return err
}

// Start starts a server again that a signal has stopped, or is stopping, and waits until
// it responds.
func (s *Server) Start() error {
	return errors.Join(s.Signal("start"), s.await())
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "SERVER_DIR="+s.dir)
	detach(cmd, s.user)
	return cmd
}

func (s *Server) failed(err error) error {
	return fmt.Errorf("cannot start %s: %w\n  where: %s\n  try:   read the text above; the server's own words are in it", s.name, err, s.dir)
}

var installing sync.Mutex

// find returns the directory that contains program: the first of PATH and dirs (patterns;
// the greatest match first). It installs a missing program if apt-get and the necessary
// privileges are available.
func find(debian, program string, dirs ...string) (string, error) {
	if dir, ok := look(program, dirs); ok {
		return dir, nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return "", fmt.Errorf("%s is not installed\n  where: PATH and %q\n  try:   sudo apt-get install %s", program, dirs, debian)
	}
	installing.Lock() // only one apt-get can run at a time
	defer installing.Unlock()
	fmt.Fprintf(os.Stderr, "%s is not installed: running apt-get install %s\n", program, debian)
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", debian}} {
		cmd := exec.Command(apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("apt-get %s: %w\n%s\n  try:   apt-get install %s", args[0], err, out, debian)
		}
	}
	if dir, ok := look(program, dirs); ok {
		return dir, nil
	}
	return "", errors.New(debian + " is installed and has no " + program)
}

func look(program string, dirs []string) (string, bool) {
	if path, err := exec.LookPath(program); err == nil {
		return filepath.Dir(path), true
	}
	for _, pattern := range dirs {
		matches, _ := filepath.Glob(filepath.Join(pattern, program))
		if len(matches) > 0 {
			slices.Sort(matches)
			return filepath.Dir(matches[len(matches)-1]), true
		}
	}
	return "", false
}

// held keeps the pipes of running guards from being garbage-collected, which would close
// them.
var held []*os.File

func hold(f *os.File) { held = append(held, f) }

// memory returns an in-memory folder if the system has one, since tests create and drop
// tables by the thousand; otherwise the default for temporary files.
func memory() string {
	const shared = "/dev/shm"
	if probe, err := os.MkdirTemp(shared, "nexios-probe-"); err == nil {
		os.Remove(probe)
		return shared
	}
	return ""
}
