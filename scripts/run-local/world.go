package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/awsconfig"
	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/localcloud"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
	"sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/terminal"
)

// The scene of the story in its own time: what the template's parameters would say on AWS.
const (
	acceptableDelay = time.Minute
	firstDuration   = 5 * time.Second
	laterDuration   = 10 * time.Second // of a message, from the middle of the trace on
	cooldown        = 5 * time.Minute
	period          = time.Minute
	startUp         = 45 * time.Second // of a task: Fargate needs 20 to 70 s
	protectionSpell = 10 * time.Minute
	verifyRollout   = 10 * time.Minute // longest wait for the rollout of a version
	verifySoak      = 5 * time.Minute  // how long its outcome is watched
	verifyBaseline  = 10 * time.Minute // what it is compared with
	verifyRollback  = 10 * time.Minute
	bandLook        = 20 * time.Second // from look to look of the band
	bandCeiling     = 5 * time.Minute  // without a look, until the ceiling is MaxTasks again
	bandFloor       = time.Hour        // likewise the floor
	retuneWindow    = 24 * time.Hour   // that a scheduled retune measures
	retuneReplay    = 24 * time.Hour   // that it replays
	retunePause     = 15 * time.Minute // from one retune that the drift started to the next
	retuneWatch     = 6 * time.Minute  // after a change; the waits of machines are scaled by the engine
)

// world is the deployed system, in a time that runs speed times as fast.
type world struct {
	options
	cloud    *localcloud.Cloud
	ledger   *sqswatch.Ledger
	queueURL string
	queue    string // its name
	workers  string // name of the service
	deadURL  string // dead-letter queue
	dead     string // its name
	cluster  string // name of its cluster
	produce  string // ARN of the produce machine
	retune   string // ARN of the retune machine
	verify   string // ARN of the verify machine
	rule     string // that starts the produce machine each minute
	topic    string // ARN, gets alarms and failures
	errorBar time.Duration
	// repository of the worker's images, and name of the pipeline that brings them out.
	repository, pipelineName string

	ecs       *ecs.Client
	sqs       *sqs.Client
	events    *eventbridge.Client
	sfn       *sfn.Client
	following execution.Follower
}

// fast turns a duration of the story into one of this machine.
func (o options) fast(d time.Duration) time.Duration { return time.Duration(float64(d) / o.speed) }

// story turns a duration of this machine into one of the story.
func (o options) story(d time.Duration) time.Duration { return time.Duration(float64(d) * o.speed) }

// parameters are what the template is deployed with: every configured duration divided by the speed.
func (o options) parameters() map[string]string {
	seconds := func(d time.Duration) string {
		return strconv.FormatFloat(o.fast(d).Seconds(), 'g', 6, 64)
	}
	whole := func(d time.Duration) string {
		return strconv.Itoa(max(1, int(math.Round(o.fast(d).Seconds()))))
	}
	minutes := func(d time.Duration) string { return strconv.FormatFloat(o.fast(d).Minutes(), 'g', 6, 64) }
	return map[string]string{
		"AcceptableDelaySeconds":   seconds(acceptableDelay),
		"InitialProcessingSeconds": seconds(firstDuration),
		"MetricPeriodSeconds":      whole(period),
		"ScaleOutCooldownSeconds":  whole(cooldown),
		"ScaleInCooldownSeconds":   whole(cooldown),
		"ProtectionSpellSeconds":   seconds(protectionSpell),
		"VerifyStartSeconds":       seconds(2 * startUp),
		"VerifyRolloutSeconds":     seconds(verifyRollout),
		"VerifySoakSeconds":        seconds(verifySoak),
		"VerifyBaselineSeconds":    seconds(verifyBaseline),
		"VerifyRollbackSeconds":    seconds(verifyRollback),
		"RetuneWindowMinutes":      minutes(retuneWindow),
		"RetuneReplayMinutes":      minutes(retuneReplay),
		"RetunePauseSeconds":       seconds(retunePause),
		"BandLookSeconds":          seconds(bandLook),
		"BandCeilingSeconds":       seconds(bandCeiling),
		"BandFloorSeconds":         seconds(bandFloor),
		// Nobody calls this repository: what its pushes would do is played in.
		"RepositoryOwner": "nobody",
		"RepositoryName":  "worker",
		"ConnectionArn": fmt.Sprintf("arn:aws:codeconnections:%s:%s:connection/none", ministack.Region,
			ministack.Account),
		"MinTasks": strconv.Itoa(o.minTasks),
		"MaxTasks": strconv.Itoa(o.maxTasks),
	}
}

// setUp starts the engine and deploys the stack. The caller closes the cloud, also after an error when there is one.
func setUp(ctx context.Context, screen *terminal.Screen, o options) (*world, error) {
	w := &world{options: o, ledger: &sqswatch.Ledger{}}
	err := screen.Step("start the engine", func(tell func(string)) (err error) {
		w.cloud, err = localcloud.Start(ctx, localcloud.Config{
			Root: o.root, Port: o.port, Speed: o.speed, StartupDelay: startUp, Progress: tell,
		})
		if err == nil {
			tell(w.cloud.Endpoint())
		}
		return err
	})
	if err != nil {
		return w, err
	}
	err = screen.Step("build and deploy", func(tell func(string)) error {
		log, err := os.Create(filepath.Join(w.cloud.Dir(), "sam.log"))
		if err != nil {
			return err
		}
		defer log.Close()
		tell("sam build && sam deploy, as for AWS")
		var out io.Writer = log
		if o.verbose {
			out = io.MultiWriter(log, os.Stdout)
		}
		return w.cloud.Deploy(ctx, o.stack, o.parameters(), out)
	})
	if err != nil {
		return w, err
	}
	if err := w.cloud.WriteEnvironment(filepath.Join(o.root, awsconfig.RunningFile)); err != nil {
		return w, err
	}
	return w, screen.Step("look around", func(tell func(string)) error { return w.connect(ctx, tell) })
}

// connect finds the parts of the stack and measures how exact a world this fast can be.
func (w *world) connect(ctx context.Context, tell func(string)) error {
	cfg := w.cloud.AWSConfig()
	w.sqs, w.events, w.sfn = sqs.NewFromConfig(cfg), eventbridge.NewFromConfig(cfg), sfn.NewFromConfig(cfg)
	w.ecs = ecs.NewFromConfig(cfg)
	w.following = execution.Follower{Client: w.sfn, Interval: 200 * time.Millisecond}
	outputs, err := stack.Describe(ctx, cloudformation.NewFromConfig(cfg), w.stack)
	if err != nil {
		return err
	}
	for key, value := range map[string]*string{
		"QueueUrl": &w.queueURL, "QueueName": &w.queue, "ServiceName": &w.workers, "ProduceStateMachineArn": &w.produce,
		"RetuneStateMachineArn": &w.retune, "TestMessageProducerRuleArn": &w.rule, "DeadLetterQueueUrl": &w.deadURL,
		"ClusterName": &w.cluster, "VerifyStateMachineArn": &w.verify, "WorkerRepositoryUri": &w.repository,
		"NotificationTopicArn": &w.topic, "PipelineName": &w.pipelineName,
	} {
		if *value, err = outputs.Get(key); err != nil {
			return err
		}
	}
	w.rule, w.dead = filepath.Base(w.rule), path.Base(w.deadURL)
	w.cloud.WatchSQS(func(call sqswatch.Call) { _ = w.ledger.Observe(call) })

	w.errorBar, err = w.measureErrorBar(ctx)
	if err != nil {
		return err
	}
	tell(fmt.Sprintf("time runs %g times as fast; a call to the emulator takes %.2f s of it",
		w.speed, w.errorBar.Seconds()))
	return nil
}

// measureErrorBar is the latency of a call to the emulator, in the time of the story.
func (w *world) measureErrorBar(ctx context.Context) (time.Duration, error) {
	const calls = 20
	started := time.Now()
	for range calls {
		if _, err := w.counts(ctx); err != nil {
			return 0, err
		}
	}
	return w.story(time.Since(started) / calls), nil
}
