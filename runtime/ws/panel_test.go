package ws

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexios-go/nexios/runtime/web"
)

func TestPanel(t *testing.T) {
	c := newChat(t, Config{}, nil)
	c.join("small", "ann")
	c.join("large", "bob")
	c.join("large", "ann")
	p, err := c.hub.panel(nil, web.None{})
	require.NoError(t, err)
	require.Equal(t, "connections: 3, rooms: 2", p.Text)
	require.Equal(t, []web.PanelRow{{Cells: []string{"large", "2", "ann, bob"}}, {Cells: []string{"small", "1", "ann"}}}, p.Rows)
	require.Equal(t, "/dev/rooms/test", c.hub.Dev().Path)
}
