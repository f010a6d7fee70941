package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"sqs-dynamic-target-tracking/internal/awshttp"
	"sqs-dynamic-target-tracking/internal/workerimage"

	"sqs-dynamic-target-tracking/internal/checkout"
)

func run(ctx context.Context, o options) error {
	root, err := checkout.Root()
	if err != nil {
		return err
	}
	if o.arch == "" {
		if o.arch, err = templateArch(root); err != nil {
			return err
		}
	}
	if o.artifact != "" {
		return writeArtifact(ctx, root, o)
	}
	image, err := build(ctx, root, o)
	if err != nil {
		return err
	}
	if err := writeLocal(image, o); err != nil {
		return err
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	if o.push != "" {
		if err := push(ctx, image, o); err != nil {
			return err
		}
	}
	fmt.Println(digest)
	return nil
}

var architectures = regexp.MustCompile(`(?m)^\s*Architectures:\s*(?:\[\s*|\n\s*-\s*)["']?(x86_64|arm64)\b`)

// templateArch is the processor that template.yaml was generated for; without a template, the generator's default. The
// Makefile cannot know it, and `sam build` does not tell.
func templateArch(root string) (string, error) {
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if errors.Is(err, os.ErrNotExist) {
		return "amd64", nil
	}
	if err != nil {
		return "", err
	}
	found := architectures.FindSubmatch(template)
	if found != nil && string(found[1]) == "arm64" {
		return "arm64", nil
	}
	return "amd64", nil
}

// writeArtifact makes the package of the image function.
func writeArtifact(ctx context.Context, root string, o options) error {
	if err := os.MkdirAll(o.artifact, 0o755); err != nil {
		return err
	}
	for output, program := range map[string]string{"bootstrap": "./functions/workerimage", "worker": o.program} {
		err := workerimage.Compile(ctx, workerimage.Compilation{
			Dir: root, Package: program, Arch: o.arch, Output: filepath.Join(o.artifact, output),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func build(ctx context.Context, root string, o options) (workerimage.Image, error) {
	scratch, err := os.MkdirTemp("", "worker-image-")
	if err != nil {
		return workerimage.Image{}, err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	binary := filepath.Join(scratch, "worker")
	err = workerimage.Compile(ctx, workerimage.Compilation{
		Dir: root, Package: o.program, Arch: o.arch, Output: binary,
	})
	if err != nil {
		return workerimage.Image{}, err
	}
	worker, err := os.ReadFile(binary)
	if err != nil {
		return workerimage.Image{}, err
	}
	return workerimage.Build(worker, nil)
}

func writeLocal(image workerimage.Image, o options) error {
	if o.sbom != "" {
		if err := os.WriteFile(o.sbom, image.SBOM, 0o644); err != nil {
			return err
		}
	}
	if o.output != "" {
		return image.WriteArchive(o.output)
	}
	return nil
}

func push(ctx context.Context, image workerimage.Image, o options) error {
	registry, err := registryOf(ctx, o.push)
	if err != nil {
		return err
	}
	tag, err := workerimage.Tag(image)
	if err != nil {
		return err
	}
	reference, err := registry.Push(ctx, o.push, image, append([]string{tag}, o.allTags()...)...)
	if err != nil {
		return err
	}
	if o.definitions != "" {
		// https://docs.aws.amazon.com/codepipeline/latest/userguide/file-reference.html
		if err := writeJSON(o.definitions, []definition{{Name: o.container, ImageURI: reference}}); err != nil {
			return err
		}
	}
	if o.verification != "" {
		_, digest, _ := strings.Cut(reference, "@")
		return writeJSON(o.verification, verification{Reason: "pipeline", ImageDigest: digest, Change: o.change})
	}
	return nil
}

// definition is what the ECS deploy action puts into a copy of the service's task definition.
type definition struct {
	Name     string `json:"name"`
	ImageURI string `json:"imageUri"`
}

// verification is the input of the verify machine.
type verification struct {
	Reason      string `json:"reason"`
	ImageDigest string `json:"imageDigest"`
	Change      string `json:"change,omitempty"`
}

func registryOf(ctx context.Context, repository string) (workerimage.Registry, error) {
	if !workerimage.IsECR(repository) {
		return workerimage.Registry{}, nil
	}
	aws, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return workerimage.Registry{}, err
	}
	aws.HTTPClient = awshttp.Over(aws.HTTPClient)
	return workerimage.Registry{Login: workerimage.ECRLogin(ecr.NewFromConfig(aws))}, nil
}

func writeJSON(path string, value any) error {
	document, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(document, '\n'), 0o644)
}
