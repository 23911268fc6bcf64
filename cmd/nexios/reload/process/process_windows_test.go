package process

import (
	"os/exec"
	"testing"
)

// Killing a group that has exited kills no other process, although the system may reuse
// the number of its job handle.
func TestKillAfterExit(t *testing.T) {
	start := func() (*exec.Cmd, group) {
		cmd := exec.Command("cmd", "/c", "set /p line=") // reads until it is killed
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
		cleanup{}.prepare(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		g, err := cleanup{}.add(cmd)
		if err != nil {
			t.Fatal(err)
		}
		return cmd, g
	}
	first, exited := start()
	number := exited.job.handle
	exited.kill()
	_ = first.Wait() // it was killed
	cleanup{}.remove(exited)

	second, other := start()
	for tries := 0; other.job.handle != number; tries++ {
		if tries == 100 {
			t.Skip("the system reused the number for something else")
		}
		other.kill()
		_ = second.Wait()
		cleanup{}.remove(other)
		second, other = start()
	}
	exited.kill()
	exited.interrupt()
	if !Alive(second.Process.Pid) {
		t.Error("another process was killed")
	}
	other.kill()
	if err := second.Wait(); err == nil {
		t.Error("killing the group did not kill the process")
	}
	cleanup{}.remove(other)
}
