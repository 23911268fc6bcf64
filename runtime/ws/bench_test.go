//go:build unix

package ws

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/nexios-go/nexios/e2e/services"
)

// serverVariable makes the test binary a server: "ours" with the rooms of the hub named
// by hubVariable, shared through the Redis at redisVariable if that is set, or
// "usual".
const (
	serverVariable = "WS_TEST_SERVER"
	hubVariable    = "WS_TEST_HUB"
	redisVariable  = "WS_TEST_REDIS"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(serverVariable); kind != "" {
		serveChat(kind)
		return
	}
	os.Exit(m.Run())
}

// serveChat serves a chat at /ROOM until its standard input is closed, and the
// resources used so far at /cost.
func serveChat(kind string) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	members := func() int { return 0 }
	engine.GET("/cost/members", func(c *gin.Context) { c.String(200, "%d", members()) })
	engine.GET("/cost/now", func(c *gin.Context) {
		runtime.GC()
		debug.FreeOSMemory()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		var usage syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		c.String(200, "%d %d", usage.Utime.Nano()+usage.Stime.Nano(), memory.HeapInuse+memory.StackInuse+memory.MSpanInuse)
	})
	switch kind {
	case "ours":
		hub := New(os.Getenv(hubVariable), Config{RedisURL: os.Getenv(redisVariable)}, quiet)
		hub.Limits.Rate = rate.Inf
		go func() { _ = hub.Run(context.Background()) }()
		members = func() int { return len(hub.allMembers()) }
		engine.GET("/chat/:room", func(c *gin.Context) {
			hub.Join(c, c.Param("room"), Options{Text: func(m *Member, text []byte) { _ = m.Broadcast(text) }})
		})
	case "usual":
		hub := &gorillaHub{clients: map[*gorillaClient]bool{}, broadcast: make(chan gorillaMessage), register: make(chan *gorillaClient), unregister: make(chan *gorillaClient)}
		go hub.run()
		members = func() int { return int(hub.registered.Load()) }
		engine.GET("/chat/:room", hub.serve)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	go func() { _ = http.Serve(listener, engine) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// gorillaHub is the usual chat over gorilla/websocket: one goroutine owns the clients,
// and each client has a channel and a goroutine that writes message by message.
type gorillaHub struct {
	clients    map[*gorillaClient]bool
	broadcast  chan gorillaMessage
	register   chan *gorillaClient
	unregister chan *gorillaClient
	registered atomic.Int64
}

type gorillaMessage struct {
	from *gorillaClient
	text []byte
}

type gorillaClient struct {
	conn *websocket.Conn
	send chan []byte
}

func (h *gorillaHub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
			h.registered.Add(1)
		case c := <-h.unregister:
			if h.clients[c] {
				delete(h.clients, c)
				close(c.send)
			}
		case message := <-h.broadcast:
			for c := range h.clients {
				if c == message.from {
					continue
				}
				select {
				case c.send <- message.text:
				default:
					close(c.send)
					delete(h.clients, c)
				}
			}
		}
	}
}

func (h *gorillaHub) serve(c *gin.Context) {
	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}
	conn, err := upgrader.Upgrade(c.Writer, c.Request, nil)
	if err != nil {
		return
	}
	client := &gorillaClient{conn, make(chan []byte, 256)}
	h.register <- client
	go func() {
		defer conn.Close()
		ping := time.NewTicker(54 * time.Second)
		defer ping.Stop()
		for {
			select {
			case message, ok := <-client.send:
				_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
				if !ok {
					_ = conn.WriteMessage(websocket.CloseMessage, nil)
					return
				}
				if conn.WriteMessage(websocket.TextMessage, message) != nil {
					return
				}
			case <-ping.C:
				if conn.WriteMessage(websocket.PingMessage, nil) != nil {
					return
				}
			}
		}
	}()
	defer func() { h.unregister <- client }()
	conn.SetReadLimit(64 << 10)
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return
		}
		h.broadcast <- gorillaMessage{client, text}
	}
}

// chatProcess is a chat server in a process of its own, so that its cost can be
// measured without that of its clients.
type chatProcess struct {
	t       testing.TB
	address string
	stop    func()
}

func startChat(t testing.TB, kind string) chatProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+kind)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	stop := sync.OnceFunc(func() { _ = input.Close(); _ = cmd.Wait() })
	t.Cleanup(stop)
	return chatProcess{t, strings.TrimSpace(line), stop}
}

// full waits until the server has this number of members: the usual chat registers a
// member after responding to it.
func (p chatProcess) full(members int) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		response, err := http.Get("http://" + p.address + "/cost/members")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var n int
		_, err = fmt.Fscan(response.Body, &n)
		return err == nil && n == members
	}, testTimeout, 20*time.Millisecond)
}

// cost returns the CPU time used so far and the bytes in use.
func (p chatProcess) cost() (cpu time.Duration, memory int) {
	p.t.Helper()
	response, err := http.Get("http://" + p.address + "/cost/now")
	require.NoError(p.t, err)
	defer response.Body.Close()
	var ns int64
	_, err = fmt.Fscan(response.Body, &ns, &memory)
	require.NoError(p.t, err)
	return time.Duration(ns), memory
}

func (p chatProcess) join(room string) *websocket.Conn {
	p.t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial("ws://"+p.address+"/chat/"+room, nil)
	require.NoError(p.t, err)
	_ = response.Body.Close()
	p.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

const (
	crowd  = 1000
	window = 64 // messages in flight
	size   = 128
)

// fanOut sends windows of messages to a full room and returns the number of messages
// delivered and the CPU time of the server.
func fanOut(t testing.TB, kind string, windows int) (delivered int, cpu time.Duration, took time.Duration) {
	server := startChat(t, kind)
	sender := server.join("full")
	var bytes atomic.Int64
	arrived := make(chan struct{}, 1)
	var goal atomic.Int64
	for range crowd - 1 {
		conn := server.join("full").NetConn()
		go func() {
			buffer := make([]byte, 32<<10)
			for {
				n, err := conn.Read(buffer)
				if err != nil {
					return
				}
				if bytes.Add(int64(n)) == goal.Load() {
					arrived <- struct{}{}
				}
			}
		}()
	}
	frame := int64(len(encode(websocket.TextMessage, make([]byte, size))))
	message := []byte(strings.Repeat("m", size))
	round := func() {
		goal.Add(frame * window * (crowd - 1))
		for range window {
			require.NoError(t, sender.WriteMessage(websocket.TextMessage, message))
		}
		select {
		case <-arrived:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: %d of %d bytes arrived", kind, bytes.Load(), goal.Load())
		}
	}
	server.full(crowd)
	round() // warm up
	before, _ := server.cost()
	start := time.Now()
	for range windows {
		round()
	}
	took = time.Since(start)
	after, _ := server.cost()
	server.stop()
	return windows * window * (crowd - 1), after - before, took
}

// BenchmarkFanOut measures messages delivered per CPU second of the server in a room of
// 1,000, compared with the usual chat in the same run.
func BenchmarkFanOut(b *testing.B) {
	windows := 30
	if text := os.Getenv("WS_BENCH_WINDOWS"); text != "" {
		windows, _ = strconv.Atoi(text)
	}
	for b.Loop() {
		var perCPU [2]float64
		for i, kind := range []string{"usual", "ours"} {
			delivered, cpu, took := fanOut(b, kind, windows)
			perCPU[i] = float64(delivered) / cpu.Seconds()
			unit := strings.ReplaceAll(kind, " ", "-")
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(delivered), unit+"-cpu-ns/msg")
			b.ReportMetric(float64(delivered)/took.Seconds(), unit+"-msg/s")
		}
		b.ReportMetric(perCPU[1]/perCPU[0], "times")
	}
}

// BenchmarkReplicas measures the CPU time per delivered message of three replicas with
// ten rooms of 1,000. Every message must arrive.
func BenchmarkReplicas(b *testing.B) {
	const rooms, said = 10, 20
	crowd := crowd
	if testing.Short() { // only check that it works
		crowd = 10
	}
	b.Setenv(redisVariable, services.Redis(b))
	for b.Loop() {
		b.Setenv(hubVariable, "bench-"+rand.Text())
		var processes []chatProcess
		for range 3 {
			processes = append(processes, startChat(b, "ours"))
		}
		var arrived atomic.Int64
		senders := make([]*websocket.Conn, rooms)
		for n := range rooms * crowd {
			room := n % rooms
			conn := processes[n/rooms%3].join(fmt.Sprint(room))
			if senders[room] == nil {
				senders[room] = conn
				continue
			}
			go func() {
				buffer := make([]byte, 32<<10)
				for {
					n, err := conn.NetConn().Read(buffer)
					if err != nil {
						return
					}
					arrived.Add(int64(n))
				}
			}()
		}
		cost := func() (sum time.Duration) {
			for _, p := range processes {
				cpu, _ := p.cost()
				sum += cpu
			}
			return sum
		}
		message := []byte(strings.Repeat("m", size))
		goal := int64(len(encode(websocket.TextMessage, message)) * said * rooms * (crowd - 1))
		before := cost()
		for range said {
			for _, sender := range senders {
				require.NoError(b, sender.WriteMessage(websocket.TextMessage, message))
			}
		}
		require.Eventually(b, func() bool { return arrived.Load() == goal }, time.Minute, 10*time.Millisecond)
		b.ReportMetric(float64((cost()-before).Nanoseconds())/float64(said*rooms*(crowd-1)), "replicas-cpu-ns/msg")
		for _, p := range processes {
			p.stop()
		}
	}
}

// An idle connection uses at most 16 KB.
func TestIdleConnectionMemory(t *testing.T) {
	server := startChat(t, "ours")
	for range 50 {
		server.join("idle")
	}
	_, before := server.cost()
	const idle = 500
	for range idle {
		server.join("idle")
	}
	_, after := server.cost()
	each := (after - before) / idle
	t.Logf("%d bytes per idle connection", each)
	require.LessOrEqual(t, each, 16<<10)
}
