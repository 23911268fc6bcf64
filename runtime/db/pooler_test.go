package db

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// A search is described and executed in two steps, except behind a pooler that may
// use another connection for each: the second could execute another client's
// statement.
func TestSearchesBehindAPooler(t *testing.T) {
	const search = "SELECT * FROM posts WHERE lower(title) LIKE lower($1)"
	for pooler, want := range map[bool]int{false: 2, true: 1} {
		args := (&serverPool{pooler: pooler}).planned(search, []any{"%a%"})
		if len(args) != want || !pooler && args[0] != pgx.QueryExecModeDescribeExec {
			t.Errorf("pooler %v: %v", pooler, args)
		}
	}
}
