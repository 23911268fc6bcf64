package traces_test

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"github.com/nexios-go/nexios/runtime/traces"
)

// A handler adds a span to the trace of its request and propagates the trace to another
// service. If traces are off, nothing is recorded.
func Example() {
	client := &http.Client{Transport: traces.Transport(http.DefaultTransport)}
	price := func(ctx context.Context, article string) error {
		ctx, span := traces.Start(ctx, "price", attribute.String("article", article))
		defer span.End()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://prices.example.com/"+article, nil)
		if err != nil {
			return err
		}
		_ = func() (*http.Response, error) { return client.Do(request) }
		fmt.Println(span.IsRecording())
		return nil
	}
	fmt.Println(price(context.Background(), "7"))
	// Output:
	// false
	// <nil>
}
