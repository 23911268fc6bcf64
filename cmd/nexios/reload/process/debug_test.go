package process

import (
	"encoding/json"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"testing"
)

// running is an RPC server that responds like dlv while the program runs.
type running struct{}

func (running) State(_ map[string]bool, response *json.RawMessage) error {
	*response = json.RawMessage(`{"State": {"Running": true}}`)
	return nil
}

// A call that arrives while dlv continues the program gets no response. The next one
// does.
func TestPollUnanswered(t *testing.T) {
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
		for ignore := true; ; ignore = false {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			if !ignore {
				go dlv.ServeCodec(jsonrpc.NewServerCodec(conn))
			}
		}
	}()
	g := &debugger{network: "tcp", address: l.Addr().String()}
	for i, want := range []bool{false, true} {
		if exit, responded := g.poll(); exit != "" || responded != want {
			t.Errorf("call %d: got %q, %t", i+1, exit, responded)
		}
	}
	if !g.ran || g.halted {
		t.Error("the program was not seen running")
	}
}
