package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nexios-go/nexios/runtime/cache"
	"github.com/nexios-go/nexios/runtime/redis"
)

func Example() {
	store := cache.New(redis.Config{}, slog.Default())
	expensive := func(context.Context) (int, error) { fmt.Println("counting"); return 3, nil }
	for range 2 {
		fmt.Println(cache.Get(context.Background(), store, "posts", time.Minute, expensive))
	}
	// Output:
	// counting
	// 3 <nil>
	// 3 <nil>
}
