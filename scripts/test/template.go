package main

import (
	"context"

	"sqs-dynamic-target-tracking/internal/localcloud/toolchain"
)

// template validates what SAM reads and, since cfn-lint sees less through the transform, what CloudFormation gets.
func template(ctx context.Context, b *bench) error {
	env, err := b.toolchain().Ensure(ctx, toolchain.Engine)
	if err != nil {
		return err
	}
	return b.command(ctx, env.Path("sam"), "validate", "--lint")
}

func checkov(ctx context.Context, b *bench) error {
	env, err := b.toolchain().Ensure(ctx, toolchain.Checks)
	if err != nil {
		return err
	}
	return b.command(ctx, env.Path("checkov"), "--file", "template.yaml", "--framework", "cloudformation", "--compact")
}
