// Command template writes the system's SAM template to standard output:
//
//	go run ./template > template.yaml
//
// The result is committed, so that nobody needs Go to read it; a test fails
// when it is stale. The processor architecture is decided when the functions
// are built, which is before a stack's parameters exist, so it is a flag here
// and not a parameter of the template.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "template:", err)
		os.Exit(1)
	}
}

// run writes the template that the arguments ask for.
func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("template", flag.ContinueOnError)
	arch := flags.String("arch", archX86, "processor architecture of functions and tasks: "+archX86+" or "+archARM)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: the template goes to standard output", flags.Arg(0))
	}
	if *arch != archX86 && *arch != archARM {
		return fmt.Errorf("-arch is %q, must be %s or %s", *arch, archX86, archARM)
	}
	return build(*arch).render(out)
}
