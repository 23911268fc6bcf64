package config_test

import (
	"fmt"
	"os"
	"time"

	"github.com/nexios-go/nexios/runtime/config"
)

// Settings are a struct. Load reads it from the environment, and Help lists it.
func Example() {
	type Config struct {
		Greeting string        `env:"GREETING" envDefault:"Hello" doc:"what is said first"`
		Timeout  time.Duration `env:"TIMEOUT" envDefault:"5s" doc:"how long to wait"`
	}
	environment := map[string]string{"TIMEOUT": "2s"}
	c, err := config.Load[Config](func(name string) string { return environment[name] })
	fmt.Println(c.Greeting, c.Timeout, err)
	config.Help[Config](os.Stdout)
	// Output:
	// Hello 2s <nil>
	//   GREETING  what is said first [Hello]
	//   TIMEOUT   how long to wait [5s]
}
