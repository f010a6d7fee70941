package workerimage

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Compilation says what to compile, and for which processor.
type Compilation struct {
	Dir     string // a folder of the module
	Package string // import path or relative path of a package main
	Arch    string // of the processor, as Go names it: amd64 or arm64
	Output  string // the binary's path
	Overlay string // a file for `go build -overlay`: sources that take the place of others; empty for none
}

// Compile builds a Go program so that it can live in an image of nothing else, and so that the same source gives the
// same bytes: without C libraries, without paths of this machine, without the state of the repository, and without the
// symbols that only a debugger needs.
func Compile(ctx context.Context, c Compilation) error {
	output, err := filepath.Abs(c.Output)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=",
		"-overlay", c.Overlay, "-o", output, c.Package)
	cmd.Dir = c.Dir
	// GOFLAGS, GOAMD64 and the like of whoever builds must not reach the result.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+c.Arch,
		"GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s for linux/%s: %w\n%s",
			c.Package, c.Arch, err, strings.TrimSpace(problems.String()))
	}
	return nil
}
