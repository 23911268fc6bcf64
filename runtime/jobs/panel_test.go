package jobs

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexios-go/nexios/runtime/web"
	"github.com/nexios-go/nexios/runtime/webtest"
)

func TestPanel(t *testing.T) {
	gdb := open(t, "")
	q := fast(gdb)
	Handle(q, "breaks", func(context.Context, payload) error { return errors.New("no\nserver") })
	Handle(q, "works", func(context.Context, payload) error { return nil })
	require.NoError(t, Enqueue(gdb, "breaks", payload{}, MaxAttempts(1)))
	require.NoError(t, Enqueue(gdb, "works", payload{N: 123454321}))
	stop := start(t, q)
	eventually(t, "both jobs finish", func() bool { jobs := all(t, gdb); return jobs[0].State == dead && jobs[1].State == done })
	stop()

	answer := webtest.NewWith(t, web.Config{Env: web.Development}, Module(q)).Get("/dev/jobs").Expect(200)
	var p web.Panel
	answer.Into(&p)
	require.Equal(t, "1 dead, 1 done", p.Text)
	require.Len(t, p.Rows, 2)
	require.Equal(t, []string{"1", "breaks", "dead", "1/1"}, p.Rows[0].Cells[:4])
	require.Equal(t, "no server", p.Rows[0].Cells[5])
	require.True(t, p.Rows[0].Alarm)
	require.Equal(t, []string{"2", "works", "done", "1/15"}, p.Rows[1].Cells[:4])
	require.False(t, p.Rows[1].Alarm)
	require.NotContains(t, string(answer.Body()), "123454321", "payloads may contain secrets")
}
