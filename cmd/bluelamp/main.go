// Command bluelamp is the Bluelamp platform: server, demonstration and tools in
// one program. Run it with --help.
package main

import (
	"os"

	"github.com/bluelamp/bluelamp/internal/cli"
)

// version is set when the program is built.
var version = "development"

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, version))
}
