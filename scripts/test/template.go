package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"sqs-dynamic-target-tracking/internal/localcloud/toolchain"
)

// template validates what SAM reads and, since cfn-lint sees less through the transform, what CloudFormation gets.
// .cfnlintrc says which template and regions, and has the reason of each rule that is off.
func template(ctx context.Context, b *bench) error {
	env, err := b.toolchain().Ensure(ctx, toolchain.Engine)
	if err != nil {
		return err
	}
	region := []string{"AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "SAM_CLI_TELEMETRY=0"}
	if err := b.pipe(ctx, b.log, region, env.Path("sam"), "validate", "--lint"); err != nil {
		return err
	}
	if err := b.command(ctx, env.Path("cfn-lint")); err != nil {
		return err
	}
	transformed, err := b.transform(ctx, env)
	if err != nil {
		return err
	}
	return b.command(ctx, env.Path("cfn-lint"), "-t", transformed)
}

// checkov looks at both forms, too. .checkov.yaml has the reason of each skip.
func checkov(ctx context.Context, b *bench) error {
	engine, err := b.toolchain().Ensure(ctx, toolchain.Engine)
	if err != nil {
		return err
	}
	transformed, err := b.transform(ctx, engine)
	if err != nil {
		return err
	}
	env, err := b.toolchain().Ensure(ctx, toolchain.Checks)
	if err != nil {
		return err
	}
	for _, file := range []string{"template.yaml", transformed} {
		if err := b.command(ctx, env.Path("checkov"), "-f", file); err != nil {
			return err
		}
	}
	return nil
}

// transform writes what SAM's transform makes of the template and returns the file.
func (b *bench) transform(ctx context.Context, env toolchain.Env) (string, error) {
	var document bytes.Buffer
	script := filepath.Join("template", "transform.py")
	if err := b.pipe(ctx, &document, nil, env.Path("python"), script, "template.yaml"); err != nil {
		return "", err
	}
	transformed := filepath.Join(".local", "test", "transformed.json")
	return transformed, os.WriteFile(filepath.Join(b.root, transformed), document.Bytes(), 0o644)
}
