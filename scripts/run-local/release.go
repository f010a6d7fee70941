package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"sqs-dynamic-target-tracking/internal/byhand"
	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/verify"
	"sqs-dynamic-target-tracking/internal/workerimage"
)

// version is one that the chapter of deployments brings out: the worker of the checkout with another handler.go.
type version struct {
	name  string // of its file in versionsFolder
	about string // what its commit says
	ends  string // how it must end: verified, or the error of the verify machine
}

// How versions end.
const (
	verified   = string(verify.Verified)
	rolledBack = "VersionRolledBack"
	stopped    = "RolloutStoppedByECS" // the circuit breaker was quicker than the pipeline
)

// versionsFolder holds the handlers, below the checkout.
const versionsFolder = "scripts/run-local/testdata/versions"

var versions = []version{
	{"good", "a tenth faster", verified},
	{"canary", "its own check says that it does not work", rolledBack},
	{"crash", "a setting is missing, so it does not start", stopped},
	{"slow", "four times as slow", rolledBack},
	{"poison", "takes every message for unreadable", rolledBack},
}

// release is what became of a version.
type release struct {
	version
	began     time.Time
	took      time.Duration // of this machine
	from, to  string        // task definitions, family:revision
	runs      string        // that the service runs at the end
	ended     string
	told      string // summary
	notified  int    // messages to the topic
	broughtIn int    // messages that it set aside, which were brought back to the queue
}

// pipeline does what the template's pipeline does, since no emulator has CodePipeline: build, push, register, update,
// verify. It acts in the roles that the template gives to the build and to the pipeline, and sends the events that
// CodePipeline would send.
type pipeline struct {
	*world
	screen   *terminal.Screen
	camera   *camera
	registry workerimage.Registry // as the build
	acting   *ecs.Client          // as the pipeline's actions
	starting execution.Follower   // likewise
	version  version              // that is brought out
	run      string               // id of the pipeline's execution
}

// newPipeline takes the roles.
func newPipeline(ctx context.Context, w *world, screen *terminal.Screen, camera *camera) (*pipeline, error) {
	as := func(logicalID, service string) (aws.Config, error) {
		found, err := cloudformation.NewFromConfig(w.cloud.AWSConfig()).DescribeStackResource(ctx,
			&cloudformation.DescribeStackResourceInput{StackName: &w.stack, LogicalResourceId: &logicalID})
		if err != nil {
			return aws.Config{}, fmt.Errorf("find the role %s: %w", logicalID, err)
		}
		role := aws.ToString(found.StackResourceDetail.PhysicalResourceId)
		return w.cloud.As(ctx, fmt.Sprintf("arn:aws:iam::%s:role/%s", ministack.Account, role), service)
	}
	build, err := as("BuildRole", "codebuild.amazonaws.com")
	if err != nil {
		return nil, err
	}
	actions, err := as("PipelineRole", "codepipeline.amazonaws.com")
	if err != nil {
		return nil, err
	}
	return &pipeline{
		world: w, screen: screen, camera: camera,
		registry: workerimage.Registry{Login: workerimage.ECRLogin(ecr.NewFromConfig(build))},
		acting:   ecs.NewFromConfig(actions),
		starting: execution.Follower{Client: sfn.NewFromConfig(actions)},
	}, nil
}

// say tells a step of the release, in a line that stays and in the scene.
func (p *pipeline) say(step, format string, args ...any) {
	line := fmt.Sprintf("%-22s %s", step, fmt.Sprintf(format, args...))
	p.camera.note(fmt.Sprintf("%s: %s", p.version.name, line))
	p.screen.Printf("  %s  %s", clock(p.story(time.Since(p.camera.began))), line)
}

// release brings a version out and waits until its fate is clear.
func (p *pipeline) release(ctx context.Context, v version) (release, error) {
	r := release{version: v, began: time.Now()}
	p.version, p.run = v, fmt.Sprintf("%s-%d", v.name, r.began.UnixMilli())
	if err := p.pipelineEvent(ctx, "STARTED"); err != nil {
		return r, err
	}
	reference, err := p.build(ctx)
	if err != nil {
		return r, err
	}
	rolledOut, err := p.deploy(ctx, reference, &r)
	if err != nil {
		return r, err
	}
	if rolledOut {
		if err := p.verifyIt(ctx, reference, &r); err != nil {
			return r, err
		}
	}
	if err := p.pipelineEvent(ctx, stateOf(r.ended == verified)); err != nil {
		return r, err
	}
	now, err := primary(ctx, p.ecs, p.cluster, p.workers)
	if err != nil {
		return r, err
	}
	r.runs, r.took = shortDefinition(aws.ToString(now.TaskDefinition)), time.Since(r.began)
	p.say("now runs", "%s", r.runs)
	return r, r.check()
}

// check holds the end of a release against what it has to be.
func (r release) check() error {
	runs := r.from
	if r.ends == verified {
		runs = r.to
	}
	if r.ended != r.ends || r.runs != runs {
		return fmt.Errorf("the version %q (%s) ended %q and the service runs %s; it has to end %q and leave %s: %s",
			r.name, r.about, r.ended, r.runs, r.ends, runs, r.told)
	}
	return nil
}

// build makes the version's image with the project's own builder and pushes it, as worker/buildspec.yml does.
func (p *pipeline) build(ctx context.Context) (reference string, err error) {
	began := time.Now()
	scratch, err := os.MkdirTemp(p.cloud.Dir(), "build-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(p.root, "worker", "handler.go"): filepath.Join(p.root, versionsFolder, p.version.name+".go"),
	}})
	if err != nil {
		return "", err
	}
	compilation := workerimage.Compilation{
		Dir: p.root, Package: "./worker", Arch: runtime.GOARCH,
		Output: filepath.Join(scratch, "worker"), Overlay: filepath.Join(scratch, "overlay.json"),
	}
	if err := os.WriteFile(compilation.Overlay, overlay, 0o600); err != nil {
		return "", err
	}
	if err := workerimage.Compile(ctx, compilation); err != nil {
		return "", err
	}
	worker, err := os.ReadFile(compilation.Output)
	if err != nil {
		return "", err
	}
	image, err := workerimage.Build(worker, nil)
	if err != nil {
		return "", err
	}
	tag, err := workerimage.Tag(image)
	if err != nil {
		return "", err
	}
	reference, err = p.registry.Push(ctx, p.repository, image, tag)
	if err != nil {
		return "", err
	}
	p.say("built and pushed", "%s in %s of this machine", tag, terminal.Seconds(time.Since(began)))
	return reference, p.actionEvent(ctx, "Build", "Build", true, "", "")
}

// deploy is the action "Amazon ECS": it puts the image into a copy of the service's task definition, gives that to the
// service, and waits until the service is steady. It tells whether the version came to run.
func (p *pipeline) deploy(ctx context.Context, reference string, r *release) (rolledOut bool, err error) {
	before, err := primary(ctx, p.acting, p.cluster, p.workers)
	if err != nil {
		return false, err
	}
	described, err := p.acting.DescribeTaskDefinition(ctx,
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: before.TaskDefinition})
	if err != nil {
		return false, fmt.Errorf("describe the task definition in force: %w", err)
	}
	registered, err := p.acting.RegisterTaskDefinition(ctx, withImage(*described.TaskDefinition, reference))
	if err != nil {
		return false, fmt.Errorf("register a task definition: %w", err)
	}
	target := registered.TaskDefinition.TaskDefinitionArn
	r.from, r.to = shortDefinition(*before.TaskDefinition), shortDefinition(*target)
	p.say("deploy", "%s instead of %s", r.to, r.from)
	if _, err := p.acting.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: &p.cluster, Service: &p.workers, TaskDefinition: target,
	}); err != nil {
		return false, fmt.Errorf("update the service: %w", err)
	}
	fate, least, err := p.awaitSteady(ctx, *target)
	if err != nil {
		return false, err
	}
	if fate.RolloutState == types.DeploymentRolloutStateCompleted {
		p.say("rolled out", "%d of %d tasks run it; never fewer than %d ran", fate.RunningCount, fate.DesiredCount,
			least)
		return true, p.actionEvent(ctx, "Deploy", "Deploy", true, "", "")
	}
	r.ended, r.told = stopped, aws.ToString(fate.RolloutStateReason)
	p.say("stopped by ECS", "%s", r.told)
	// The action does not notice, and runs into its own timeout half an hour later, which is not waited for here. A
	// rule then has verified what the service runs, since it might be the new version.
	if err := p.actionEvent(ctx, "Deploy", "Deploy", false, "", "the action timed out"); err != nil {
		return false, err
	}
	return false, p.awaitVerifications(ctx)
}

// awaitVerifications waits until no execution of the verify machine runs, also none that is being started just now: the
// next version must not come between.
func (p *pipeline) awaitVerifications(ctx context.Context) error {
	const starting = 2 * time.Second // of this machine
	for quiet := time.Now(); time.Since(quiet) < starting; {
		out, err := p.sfn.ListExecutions(ctx, &sfn.ListExecutionsInput{
			StateMachineArn: &p.verify, StatusFilter: sfntypes.ExecutionStatusRunning,
		})
		if err != nil {
			return fmt.Errorf("list the verifications: %w", err)
		}
		if len(out.Executions) > 0 {
			quiet = time.Now()
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// withImage is a copy of a task definition, to be registered, with another image.
func withImage(d types.TaskDefinition, image string) *ecs.RegisterTaskDefinitionInput {
	containers := make([]types.ContainerDefinition, len(d.ContainerDefinitions))
	copy(containers, d.ContainerDefinitions)
	containers[0].Image = &image
	return &ecs.RegisterTaskDefinitionInput{
		Family: d.Family, TaskRoleArn: d.TaskRoleArn, ExecutionRoleArn: d.ExecutionRoleArn, NetworkMode: d.NetworkMode,
		ContainerDefinitions: containers, Volumes: d.Volumes, RequiresCompatibilities: d.RequiresCompatibilities,
		Cpu: d.Cpu, Memory: d.Memory, RuntimePlatform: d.RuntimePlatform,
	}
}

// awaitSteady waits until the service runs the task definition and nothing else, or until ECS has gone back. It returns
// the deployment as it was last seen, and how many tasks of all versions ran at least; and tells when old and new ones
// run beside each other.
func (p *pipeline) awaitSteady(ctx context.Context, target string) (last types.Deployment, least int32, err error) {
	deadline, beside := time.Now().Add(p.fast(verifyRollout)), false
	least = math.MaxInt32
	for {
		all, err := deployments(ctx, p.acting, p.cluster, p.workers)
		if err != nil {
			return last, least, err
		}
		own, old, back := rolloutOf(all, target)
		if own != nil {
			last = *own
		}
		least = min(least, old+last.RunningCount)
		switch {
		case last.RolloutState == types.DeploymentRolloutStateCompleted && old == 0,
			last.RolloutState == types.DeploymentRolloutStateFailed && back:
			return last, least, nil
		case last.RunningCount > 0 && old > 0 && !beside:
			beside = true
			p.say("side by side", "%d old tasks and %d new ones run", old, last.RunningCount)
		case time.Now().After(deadline):
			return last, least, fmt.Errorf("the version %q is neither rolled out nor stopped after %v of the story",
				p.version.name, verifyRollout)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return last, least, err
		}
	}
}

// rolloutOf finds the deployment of a task definition, nil when it is gone; how many tasks of others run; and whether
// the service has gone back to another one.
func rolloutOf(all []types.Deployment, target string) (own *types.Deployment, old int32, back bool) {
	for _, d := range all {
		if aws.ToString(d.TaskDefinition) == target {
			own = &d
			continue
		}
		old += d.RunningCount
		back = back || aws.ToString(d.Status) == "PRIMARY" && d.RolloutState == types.DeploymentRolloutStateCompleted
	}
	return own, old, back
}

// verifyIt is the pipeline's last action: the verify machine, with the input that the build has written.
func (p *pipeline) verifyIt(ctx context.Context, reference string, r *release) error {
	_, digest, _ := strings.Cut(reference, "@")
	arn, err := p.starting.Start(ctx, p.verify, map[string]any{
		"reason": "pipeline", "imageDigest": digest, "change": p.version.name + ": " + p.version.about,
	})
	if err != nil {
		return err
	}
	var told byhand.Verification
	result, err := p.following.Follow(ctx, arn, func(step execution.Step) {
		if line := told.Line(step); line != "" {
			name, words, _ := strings.Cut(line, "  ")
			p.say(name, "%s", strings.TrimSpace(words))
		}
	})
	if err != nil {
		return err
	}
	if result.Succeeded() {
		var report verify.Report
		if err := json.Unmarshal(result.Output, &report); err != nil {
			return fmt.Errorf("the execution's output is no report: %w", err)
		}
		r.ended, r.told = string(report.Result), report.Summary
	} else {
		r.ended, r.told = result.Error, result.Cause
	}
	p.say("verdict", "%s", r.ended)
	return p.actionEvent(ctx, "Deploy", "Verify", result.Succeeded(), arn, result.Cause)
}

// deployments are a service's, as DescribeServices has them.
func deployments(ctx context.Context, client *ecs.Client, cluster, service string) ([]types.Deployment, error) {
	out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{service}})
	if err != nil {
		return nil, fmt.Errorf("describe the service %s: %w", service, err)
	}
	if len(out.Services) == 0 {
		return nil, fmt.Errorf("the service %s is gone", service)
	}
	return out.Services[0].Deployments, nil
}

// primary is the deployment that the service moves to, or runs.
func primary(ctx context.Context, client *ecs.Client, cluster, service string) (types.Deployment, error) {
	all, err := deployments(ctx, client, cluster, service)
	if err != nil {
		return types.Deployment{}, err
	}
	for _, d := range all {
		if aws.ToString(d.Status) == "PRIMARY" {
			return d, nil
		}
	}
	return types.Deployment{}, fmt.Errorf("the service %s has no primary deployment", service)
}

// shortDefinition is the family:revision of a task definition's ARN.
func shortDefinition(arn string) string { return path.Base(arn) }
