package process

import (
	"encoding/json"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"testing"
)

// running answers as dlv does while the program runs.
type running struct{}

func (running) State(_ map[string]bool, answer *json.RawMessage) error {
	*answer = json.RawMessage(`{"State": {"Running": true}}`)
	return nil
}

// dlv leaves a question without an answer that comes while it lets the program
// go on. The next one is answered.
func TestLookAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dlv := rpc.NewServer()
	if err := dlv.RegisterName("RPCServer", running{}); err != nil {
		t.Fatal(err)
	}
	go func() {
		for unanswered := true; ; unanswered = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if !unanswered {
				go dlv.ServeCodec(jsonrpc.NewServerCodec(conn))
			}
		}
	}()
	g := &debugger{network: "tcp", address: l.Addr().String()}
	for i, want := range []bool{false, true} {
		if exit, answered := g.look(); exit != "" || answered != want {
			t.Errorf("question %d: got %q, %t", i+1, exit, answered)
		}
	}
	if !g.ran || g.halted {
		t.Error("the program was not seen to run")
	}
}
