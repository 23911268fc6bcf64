package seen_test

import (
	"context"
	"fmt"

	"github.com/nexios-go/nexios/runtime/seen"
)

func Example() {
	rows := new(seen.Rows)
	note := seen.Row{Table: "notes", Key: int64(7)}
	seen.Note(rows.Read(context.Background()), note, "first")

	ctx := rows.Held(context.Background())
	fmt.Println(seen.Of(ctx, "notes"), seen.Of(ctx, "tags"))
	seen.Written(ctx, note)
	fmt.Println(seen.Of(ctx, "notes"))
	fmt.Println(seen.Changed())
	// Output:
	// map[7:first] map[]
	// map[]
	// This has changed since you read it; read it again
}
