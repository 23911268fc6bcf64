package db

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// A search takes two steps, but behind a pooler that gives each step another
// connection: there the second would run what somebody else has prepared.
func TestSearchesBehindAPooler(t *testing.T) {
	const search = "SELECT * FROM posts WHERE lower(title) LIKE lower($1)"
	for pooler, want := range map[bool]int{false: 2, true: 1} {
		args := (&serverPool{pooler: pooler}).planned(search, []any{"%a%"})
		if len(args) != want || !pooler && args[0] != pgx.QueryExecModeDescribeExec {
			t.Errorf("pooler %v: %v", pooler, args)
		}
	}
}
