// Image builds the worker's container image without Docker, and does with it what the flags say:
//
//	go run ./scripts/image                                  build, and print the digest
//	go run ./scripts/image -output image.tar                for `docker load`, `podman load`, skopeo
//	go run ./scripts/image -push <host>/<path>              into a repository; into ECR with the AWS credentials found
//	go run ./scripts/image -artifact <folder>               what `sam build` needs: the image function and the worker
//
// The pipeline (worker/buildspec.yml) uses -push with -definitions, -verification and -sbom, which write the files of
// its next actions. The same source gives the same digest, on every machine with the same version of Go.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	var o options
	flag.StringVar(&o.program, "package", "./worker", "the worker: a package main of this checkout")
	flag.StringVar(&o.arch, "arch", "", "processor: amd64 or arm64 (default: that of template.yaml)")
	flag.StringVar(&o.output, "output", "", "write the image to this file, a tar archive that docker load reads")
	flag.StringVar(&o.artifact, "artifact", "", "write the package of the image function to this folder")
	flag.StringVar(&o.push, "push", "", "push the image to this repository")
	flag.StringVar(&o.tags, "tags", "", "further tags, separated by commas; one that names another image is refused")
	flag.StringVar(&o.sbom, "sbom", "", "write the bill of materials (CycloneDX JSON) to this file")
	flag.StringVar(&o.definitions, "definitions", "", "with -push: write the ECS deploy action's input to this file")
	flag.StringVar(&o.container, "container", "worker",
		"with -definitions: the container's name in the task definition")
	flag.StringVar(&o.verification, "verification", "", "with -push: write the verify machine's input to this file")
	flag.StringVar(&o.change, "change", "", "with -verification: what is deployed, for people; a commit")
	flag.Usage = usage
	flag.Parse()

	err := o.check(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Usage: go run ./scripts/image [flags]

Builds the worker's image and prints its digest.

`)
	flag.PrintDefaults()
}

type options struct {
	program, arch                                string
	output, artifact, push, tags, sbom           string
	definitions, container, verification, change string
}

func (o options) check(arguments []string) error {
	switch {
	case len(arguments) > 0:
		return fmt.Errorf("unexpected argument %q", arguments[0])
	case o.arch != "" && o.arch != "amd64" && o.arch != "arm64":
		return fmt.Errorf("-arch is %q; allowed: amd64, arm64", o.arch)
	case o.push == "" && (o.definitions != "" || o.verification != "" || o.tags != ""):
		return fmt.Errorf("-definitions, -verification and -tags name the pushed image: give -push too")
	case o.definitions != "" && o.container == "":
		return fmt.Errorf("-container is empty; it is the container's name in the task definition")
	}
	return nil
}

func (o options) allTags() []string {
	if o.tags == "" {
		return nil
	}
	return strings.Split(o.tags, ",")
}
