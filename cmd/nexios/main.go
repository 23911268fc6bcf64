// Nexios creates JSON APIs on Gin and GORM and grows them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/nexios-go/nexios/cmd/nexios/quiet"
)

func main() {
	os.Exit(start(os.Stdout, os.Stderr))
}

// start runs nexios with the arguments and stdin of the process, writing to stdout and
// stderr.
func start(stdout, stderr io.Writer) int {
	quiet.Done()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ctrl-c kills the program
	defer stop()
	return run(ctx, os.Args[1:], os.Stdin, stdout, stderr)
}
