package process

import (
	"os/exec"
	"testing"
)

// The group of a process that is over ends no other, though the system gives
// the number of its job to the next.
func TestAGroupThatIsOverEndsNoOther(t *testing.T) {
	start := func() (*exec.Cmd, group) {
		cmd := exec.Command("cmd", "/c", "set /p line=") // reads until it is killed
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { in.Close() })
		ties{}.prepare(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		g, err := ties{}.tie(cmd)
		if err != nil {
			t.Fatal(err)
		}
		return cmd, g
	}
	first, over := start()
	number := over.job.handle
	over.kill()
	_ = first.Wait() // it was killed
	ties{}.untie(over)

	second, other := start()
	for tries := 0; other.job.handle != number; tries++ {
		if tries == 100 {
			t.Skip("the system gave the number to something else")
		}
		other.kill()
		_ = second.Wait()
		ties{}.untie(other)
		second, other = start()
	}
	over.kill()
	over.interrupt()
	if !Alive(second.Process.Pid) {
		t.Error("another process was ended")
	}
	other.kill()
	if err := second.Wait(); err == nil {
		t.Error("a group is not ended with its own job")
	}
	ties{}.untie(other)
}
