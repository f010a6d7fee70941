// Command worker works on the messages of a queue until it is told to stop. Its job is in handler.go: replace that file
// to make it yours. docs/worker-contract.md says what a worker owes the rest of the system.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/awshttp"
	"sqs-dynamic-target-tracking/internal/consumer"
)

func main() {
	health := flag.Bool("health", false, "ask the worker that runs in this container whether its loop is alive")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, func() { signal.Reset(syscall.SIGINT) }) // a second Ctrl-C does not wait for the drain
	err := run(ctx, *health)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, health bool) error {
	env, err := consumer.FromEnvironment(os.Getenv)
	if health {
		return consumer.CheckHealth(ctx, env.HealthSocket)
	}
	if err != nil {
		return fmt.Errorf("the environment is not in order:\n%w", err)
	}
	sdk, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("load the AWS configuration: %w", err)
	}
	sdk.HTTPClient = awshttp.Over(sdk.HTTPClient)
	c := env.Config
	c.Log = slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: env.LogLevel}))
	c.SQS = sqs.NewFromConfig(sdk, func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} }) // the consumer decides
	c.CloudWatch = cloudwatch.NewFromConfig(sdk)
	c.StepFunctions = sfn.NewFromConfig(sdk)
	agent := consumer.NewAgent(env.AgentURI, env.MetadataURI)
	if env.AgentURI != "" {
		c.Protection = agent
	}
	if env.MetadataURI != "" {
		c.Task = agent
	}
	handler, err := newHandler(&c)
	if err != nil {
		return fmt.Errorf("prepare the handler: %w", err)
	}
	return consumer.Run(ctx, c, handler)
}
