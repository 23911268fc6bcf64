// Nexios creates JSON APIs on Gin and GORM and grows them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/nexios-go/nexios/cmd/nexios/quiet"
)

func main() {
	quiet.Done()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ctrl-c ends the program at once
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
