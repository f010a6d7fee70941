package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/awsconfig"
	"sqs-dynamic-target-tracking/internal/byhand"
	"sqs-dynamic-target-tracking/internal/load"
	"sqs-dynamic-target-tracking/internal/produce"
	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/trace"
)

// target is the stack that a command is about.
type target struct {
	name  string
	local bool
}

// flagSet makes the flags of a command, with those that all have.
func flagSet(command string) (*flag.FlagSet, *target) {
	flags := flag.NewFlagSet("load "+command, flag.ContinueOnError)
	var t target
	flags.StringVar(&t.name, "stack", stack.DefaultName, "name of the deployed stack")
	flags.BoolVar(&t.local, "local", false, "talk to the local engine that runs in this checkout")
	return flags, &t
}

func (t target) connect(ctx context.Context) (aws.Config, stack.Outputs, error) {
	cfg, err := awsconfig.Load(ctx, t.local)
	if err != nil {
		return aws.Config{}, stack.Outputs{}, err
	}
	outputs, err := stack.Describe(ctx, cloudformation.NewFromConfig(cfg), t.name)
	return cfg, outputs, err
}

func start(ctx context.Context, args []string) error { return switchLoad(ctx, "start", args) }

func stop(ctx context.Context, args []string) error { return switchLoad(ctx, "stop", args) }

// switchLoad enables or disables the rule that starts the produce machine every minute.
func switchLoad(ctx context.Context, command string, args []string) error {
	flags, t := flagSet(command)
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, outputs, err := t.connect(ctx)
	if err != nil {
		return err
	}
	arn, err := outputs.Get("TestMessageProducerRuleArn")
	if err != nil {
		return err
	}
	rule := arn[strings.LastIndexByte(arn, '/')+1:]
	events := eventbridge.NewFromConfig(cfg)
	if command == "start" {
		_, err = events.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: &rule})
	} else {
		_, err = events.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: &rule})
	}
	if err != nil {
		return fmt.Errorf("%s rule %s: %w", command, rule, err)
	}
	if command == "start" {
		fmt.Printf("rule %s is enabled: the produce machine starts every minute, until `load stop`\n", rule)
	} else {
		fmt.Printf("rule %s is disabled: no further test messages\n", rule)
	}
	return nil
}

// once starts one execution of the produce machine. Only flags that were given enter its input, so that the machine's
// own defaults and checks hold.
func once(ctx context.Context, args []string) error {
	flags, t := flagSet("once")
	messages := flags.Int("messages", 50, "number of messages")
	duration := flags.Duration("duration", 5*time.Second, "mean duration of a message")
	distribution := flags.String("distribution", "fixed", "of the durations: fixed, exponential or lognormal")
	cv := flags.Float64("cv", 1, "coefficient of variation of lognormal durations")
	seed := flags.Int("seed", 0, "of random durations (default: another one each time)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	input := map[string]any{}
	flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "messages":
			input["messages"] = *messages
		case "duration":
			input["durationSeconds"] = duration.Seconds()
		case "distribution":
			input["distribution"] = *distribution
		case "cv":
			input["cv"] = *cv
		case "seed":
			input["seed"] = *seed
		}
	})

	screen := terminal.New(os.Stdout)
	machine := byhand.Machine{Stack: t.name, Local: t.local, Output: "ProduceStateMachineArn"}
	output, err := machine.Execute(ctx, screen, input, nil)
	if err != nil {
		return err
	}
	screen.Printf("%s", output)
	return nil
}

// play sends the arrivals of a trace.
func play(ctx context.Context, args []string) error {
	flags, t := flagSet("trace")
	name := flags.String("trace", "azure_llm_conv_1h_10s",
		"an embedded trace ("+strings.Join(trace.Names(), ", ")+") or a CSV file with the columns "+
			strings.Join(trace.Header, ","))
	rate := flags.Float64("rate", 0, "scale the trace to this mean number of messages a minute (default: as it is)")
	from := flags.Duration("from", 0, "start there in the trace")
	length := flags.Duration("length", 24*time.Hour*365, "play that much of it")
	duration := flags.Duration("duration", 5*time.Second, "mean duration of a message")
	distribution := flags.String("distribution", "fixed", "of the durations: fixed, exponential or lognormal")
	speed := flags.Float64("speed", 1, "play that many times as fast, durations too (for an engine with this speed)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *speed <= 0 || *rate < 0 {
		return fmt.Errorf("-speed %g and -rate %g: a speed is above 0, a rate not below", *speed, *rate)
	}
	arrivals, err := trace.Open(*name)
	if err != nil {
		return err
	}
	if *rate > 0 {
		arrivals = arrivals.ScaleTo(*rate)
	}
	arrivals = arrivals.Window(*from, *length).Faster(*speed)
	if arrivals.Total() == 0 {
		return fmt.Errorf("trace %s has no arrivals in %v from %v", *name, *length, *from)
	}

	cfg, outputs, err := t.connect(ctx)
	if err != nil {
		return err
	}
	queueURL, err := outputs.Get("QueueUrl")
	if err != nil {
		return err
	}
	spec, err := messageSpec(arrivals, *distribution, duration.Seconds() / *speed)
	if err != nil {
		return err
	}
	return sendTrace(ctx, &produce.Sender{
		Client: sqs.NewFromConfig(cfg), QueueURL: queueURL, FIFO: strings.HasSuffix(queueURL, ".fifo"),
	}, arrivals, spec)
}

// messageSpec describes the messages of one play of the trace; the time makes their ids unique.
func messageSpec(arrivals trace.Trace, distribution string, durationSeconds float64) (produce.Spec, error) {
	input, err := json.Marshal(map[string]any{
		"durationSeconds": durationSeconds, "distribution": distribution,
		"trace": map[string]any{"name": arrivals.Name, "arrivals": arrivals.Total()},
	})
	if err != nil {
		return produce.Spec{}, err
	}
	return produce.NewSpec("trace "+arrivals.Name+" at "+time.Now().Format(time.RFC3339Nano), input)
}

func sendTrace(ctx context.Context, sender *produce.Sender, arrivals trace.Trace, spec produce.Spec) error {
	screen := terminal.New(os.Stdout)
	screen.Printf("%d messages of %g s in %v, to %s", arrivals.Total(), spec.DurationSeconds,
		arrivals.Length().Round(time.Second), sender.QueueURL)
	started := time.Now()
	player := load.Player{Sender: sender, Progress: func(sent int) {
		bar := terminal.Bar(float64(sent), float64(arrivals.Total()), 30)
		line := fmt.Sprintf("%s %d of %d sent, %v of %v", bar, sent, arrivals.Total(),
			time.Since(started).Round(time.Second), arrivals.Length().Round(time.Second))
		screen.Show([]string{line}, line, time.Now())
	}}
	sent, err := player.Play(ctx, arrivals, func(index int, _ time.Duration) produce.Message {
		return spec.Message(index)
	})
	screen.Clear()
	screen.Printf("%d messages sent in %s", sent, terminal.Seconds(time.Since(started)))
	return err
}
