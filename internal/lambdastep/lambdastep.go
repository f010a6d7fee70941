// Package lambdastep starts a Lambda function that is a step of a state machine, the same way for every step:
// configuration from the environment, checked whole; AWS clients built once; a JSON log; and errors that reach the
// machine under a name that it can match and a person can read.
//
// A configuration that is not usable does not end the process, which the machine would show as Runtime.ExitError
// without a word. The function starts, and answers each invocation with InvalidConfiguration and everything that is
// wrong.
package lambdastep

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"sqs-dynamic-target-tracking/internal/awshttp"
)

// Setup is what a function is built from.
type Setup struct {
	Env *Environment
	Log *slog.Logger

	aws  aws.Config
	fail error
}

// AWS returns the configuration of the SDK's clients, with retries for throttling and for transient errors. A problem
// with it is reported together with those of the environment.
func (s *Setup) AWS() aws.Config {
	if s.aws.Region != "" || s.fail != nil {
		return s.aws
	}
	s.aws, s.fail = config.LoadDefaultConfig(context.Background(), config.WithRetryer(func() aws.Retryer {
		return retry.AddWithErrorCodes(
			retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 6 }),
			"ConcurrentUpdateException", // two writers of one scaling policy
		)
	}))
	s.aws.HTTPClient = awshttp.Over(s.aws.HTTPClient)
	return s.aws
}

func (s *Setup) err() error { return errors.Join(s.Env.Err(), s.fail) }

// Step is what a function does.
type Step[In, Out any] func(context.Context, In) (Out, error)

// Run builds the step once and serves invocations with it. build reads the environment and makes clients; it needs not
// look at errors, for the step is used only if there was none.
func Run[In, Out any](build func(*Setup) Step[In, Out]) {
	lambda.Start(serve(newSetup(), build))
}

func serve[In, Out any](s *Setup, build func(*Setup) Step[In, Out]) Step[In, Out] {
	step := build(s)
	broken := s.err()
	return func(ctx context.Context, in In) (Out, error) {
		log, began := s.invocationLog(ctx), time.Now()
		var none Out
		if broken != nil {
			log.Error("configuration refused", "error", broken)
			return none, named(broken)
		}
		out, err := step(ctx, in)
		if err != nil {
			log.Error("step failed", "error", err, "milliseconds", time.Since(began).Milliseconds())
			return none, named(err)
		}
		log.Info("step done", "milliseconds", time.Since(began).Milliseconds())
		return out, nil
	}
}

// answerMargin is the part of a custom resource's time that is kept for the answer to CloudFormation, which would
// otherwise wait for an hour.
const answerMargin = 5 * time.Second

// RunCustomResource serves a CloudFormation custom resource. CloudFormation is always answered: an error, a panic and
// an unusable configuration with FAILED and the reason.
func RunCustomResource(build func(*Setup) cfn.CustomResourceFunction) {
	lambda.Start(cfn.LambdaWrap(serveCustomResource(newSetup(), build)))
}

func serveCustomResource(s *Setup, build func(*Setup) cfn.CustomResourceFunction) cfn.CustomResourceFunction {
	resource := build(s)
	broken := s.err()
	return func(ctx context.Context, event cfn.Event) (string, map[string]any, error) {
		log := s.invocationLog(ctx).With("request", event.RequestType, "resource", event.LogicalResourceID)
		if broken != nil {
			log.Error("configuration refused", "error", broken)
			return event.PhysicalResourceID, nil, broken
		}
		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline.Add(-answerMargin))
			defer cancel()
		}
		id, data, err := resource(ctx, event)
		if err != nil {
			log.Error("custom resource failed", "error", err)
			return id, nil, err
		}
		log.Info("custom resource answered", "data", data)
		return id, data, nil
	}
}

func newSetup() *Setup {
	env := &Environment{Lookup: os.LookupEnv}
	var level slog.Level // the zero value is Info
	if text, set := env.Lookup("LOG_LEVEL"); set && level.UnmarshalText([]byte(text)) != nil {
		env.problem("LOG_LEVEL is %q; allowed: DEBUG, INFO, WARN, ERROR", text)
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level}))
	return &Setup{Env: env, Log: log.With("function", os.Getenv("AWS_LAMBDA_FUNCTION_NAME"))}
}

func (s *Setup) invocationLog(ctx context.Context) *slog.Logger {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return s.Log.With("requestId", lc.AwsRequestID)
	}
	return s.Log
}

// named gives an error the name by which a state machine matches it: the ErrorName of the first error in its chain that
// has one, else the code of the AWS error in it. Without this, the runtime would use the outermost Go type, which for a
// wrapped error is "wrapError".
func named(err error) error {
	name := "StepFailed"
	var own interface{ ErrorName() string }
	var api smithy.APIError
	switch {
	case errors.As(err, &own):
		name = own.ErrorName()
	case errors.As(err, &api):
		name = api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		name = "OutOfTime"
	}
	return messages.InvokeResponse_Error{Type: name, Message: err.Error()}
}
