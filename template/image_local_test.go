//go:build local

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/localcloud"
	deployed "sqs-dynamic-target-tracking/internal/stack"
	"sqs-dynamic-target-tracking/internal/verify"
	"sqs-dynamic-target-tracking/internal/workerimage"
)

// Who owns the image: it changes by the pipeline, or by a deployment of the stack whose worker is another one, and by
// nothing else. And how deployments end reaches the topic.
func TestLocalImageOwnership(t *testing.T) {
	d := startLocalAt(t, localcloud.Config{Root: "..", Speed: 20})
	given := map[string]string{
		"RetuneState": "DISABLED", "RepositoryOwner": "someone", "RepositoryName": "jobs",
		"ConnectionArn":       "arn:aws:codeconnections:us-east-1:000000000000:connection/0",
		"MetricPeriodSeconds": "3", "AcceptableDelaySeconds": "3", "VerifyStartSeconds": "4", "VerifySoakSeconds": "2",
	}
	outputs := d.deploy("image", given)
	s := &imageStack{deployment: d, outputs: outputs, mailbox: d.mailbox(outputs)}

	first := d.output(outputs, "WorkerImageUri")
	if !strings.HasPrefix(first, d.output(outputs, "WorkerRepositoryUri")+"@sha256:") {
		t.Fatalf("the first image is %q, want one of the stack's repository by digest", first)
	}
	s.wantRunning("the first deployment", first)

	pushed := s.pipeline("one")
	s.wantRunning("a deployment of the pipeline", pushed)
	s.wantProven(pushed)
	s.pipeline("bad")
	s.wantTakenBack(pushed)
	s.outputs = d.deploy("image", map[string]string{"TaskMemory": "1024"})
	s.wantRunning("another TaskMemory", pushed)
	if memory := s.taskDefinition().Memory; aws.ToString(memory) != "1024" {
		t.Errorf("the tasks have %s MiB, want 1024", aws.ToString(memory))
	}
	s.outputs = d.deploy("image", map[string]string{"SpotShare": "25"}) // enters the service, not the task
	s.wantRunning("another SpotShare", pushed)
	s.outputs = d.deploy("image", nil)
	s.wantRunning("a deployment that changes nothing", pushed)

	pushed = s.pipeline("two")
	binary, built := s.builtWorker()
	s.replaceWorker(binary, append(built, "another worker"...))
	s.outputs = d.deploy("image", nil)
	another := d.output(s.outputs, "WorkerImageUri")
	if another == first || another == pushed {
		t.Errorf("another worker has the image %s of an older one", another)
	}
	s.wantRunning("another worker", another)

	pushed = s.pipeline("three")
	s.replaceWorker(binary, crashing(t))
	if err := d.Deploy(d.ctx, "image", nil, io.Discard); err == nil {
		t.Error("a worker that crashes was deployed")
	}
	s.wantRunning("a rollback of the stack", pushed)
	s.wantMail(`ECS gave the rollout`)
	s.wantEvents()

	d.delete("image")
	s.wantNothingLeft()
}

// imageStack is a stack whose image is looked at.
type imageStack struct {
	*deployment
	outputs deployed.Outputs
	mailbox string // URL of a queue that gets what the topic gets
}

func (s *imageStack) service() ecstypes.Service {
	s.t.Helper()
	found, err := ecs.NewFromConfig(s.AWSConfig()).DescribeServices(s.ctx, &ecs.DescribeServicesInput{
		Cluster: aws.String(s.output(s.outputs, "ClusterName")), Services: []string{s.output(s.outputs, "ServiceName")},
	})
	if err != nil || len(found.Services) != 1 {
		s.t.Fatalf("%d services: %v", len(found.Services), err)
	}
	return found.Services[0]
}

func (s *imageStack) taskDefinition() *ecstypes.TaskDefinition {
	s.t.Helper()
	found, err := ecs.NewFromConfig(s.AWSConfig()).DescribeTaskDefinition(s.ctx,
		&ecs.DescribeTaskDefinitionInput{TaskDefinition: s.service().TaskDefinition})
	if err != nil {
		s.t.Fatal(err)
	}
	return found.TaskDefinition
}

// wantRunning waits until the service is steady with tasks of the image.
func (s *imageStack) wantRunning(after, image string) {
	s.t.Helper()
	state := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		service := s.service()
		state = fmt.Sprintf("%d of %d tasks run %s", service.RunningCount, service.DesiredCount,
			aws.ToString(s.taskDefinition().ContainerDefinitions[0].Image))
		if len(service.Deployments) == 1 && service.RunningCount >= 1 && service.RunningCount >= service.DesiredCount &&
			service.Deployments[0].RolloutState == ecstypes.DeploymentRolloutStateCompleted &&
			strings.HasSuffix(state, " "+image) {
			s.wantTasksOf(after, image)
			return
		}
	}
	s.t.Fatalf("after %s: %s, want %s", after, state, image)
}

func (s *imageStack) wantTasksOf(after, image string) {
	s.t.Helper()
	_, digest, _ := strings.Cut(image, "@")
	api, cluster := ecs.NewFromConfig(s.AWSConfig()), s.output(s.outputs, "ClusterName")
	listed, err := api.ListTasks(s.ctx, &ecs.ListTasksInput{Cluster: &cluster})
	if err != nil {
		s.t.Fatal(err)
	}
	found, err := api.DescribeTasks(s.ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: listed.TaskArns})
	if err != nil {
		s.t.Fatal(err)
	}
	running := 0
	for _, task := range found.Tasks {
		if aws.ToString(task.LastStatus) == "RUNNING" {
			running++
			if got := aws.ToString(task.Containers[0].ImageDigest); got != digest {
				s.t.Errorf("after %s: a task runs the image %s, want %s", after, got, digest)
			}
		}
	}
	if running == 0 {
		s.t.Errorf("after %s: no task runs", after)
	}
}

// pipeline does what the actions Build and Deploy do: another image, in a copy of the service's task definition.
func (s *imageStack) pipeline(change string) (image string) {
	s.t.Helper()
	_, worker := s.builtWorker()
	made, err := workerimage.Build(append(worker, change...), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	tag, err := workerimage.Tag(made)
	if err != nil {
		s.t.Fatal(err)
	}
	registry := workerimage.Registry{Login: workerimage.ECRLogin(ecr.NewFromConfig(s.AWSConfig()))}
	image, err = registry.Push(s.ctx, s.output(s.outputs, "WorkerRepositoryUri"), made, tag)
	if err != nil {
		s.t.Fatal(err)
	}
	old := s.taskDefinition()
	old.ContainerDefinitions[0].Image = &image
	api := ecs.NewFromConfig(s.AWSConfig())
	registered, err := api.RegisterTaskDefinition(s.ctx, &ecs.RegisterTaskDefinitionInput{
		Family: old.Family, ContainerDefinitions: old.ContainerDefinitions, Cpu: old.Cpu, Memory: old.Memory,
		NetworkMode: old.NetworkMode, RequiresCompatibilities: old.RequiresCompatibilities,
		RuntimePlatform: old.RuntimePlatform, TaskRoleArn: old.TaskRoleArn, ExecutionRoleArn: old.ExecutionRoleArn,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = api.UpdateService(s.ctx, &ecs.UpdateServiceInput{
		Cluster:        aws.String(s.output(s.outputs, "ClusterName")),
		Service:        aws.String(s.output(s.outputs, "ServiceName")),
		TaskDefinition: registered.TaskDefinition.TaskDefinitionArn,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.wantRunning("the pipeline", image)
	return image
}

// builtWorker is the binary that the last `sam build` put beside the image's function.
func (s *imageStack) builtWorker() (path string, content []byte) {
	s.t.Helper()
	var newest time.Time
	found, _ := filepath.Glob(filepath.Join("..", ".local", "build", "*", functionID(workerImage), "worker"))
	for _, candidate := range found {
		if info, err := os.Stat(filepath.Dir(candidate)); err == nil && info.ModTime().After(newest) {
			path, newest = candidate, info.ModTime()
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return path, content
}

// replaceWorker stands for a change of the worker's source, until the test ends.
func (s *imageStack) replaceWorker(path string, content []byte) {
	s.t.Helper()
	old, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, content, 0o755)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := os.WriteFile(path, old, 0o755); err != nil {
			s.t.Error(err)
		}
	})
}

// crashing is a worker that ends at once.
func crashing(t *testing.T) []byte {
	t.Helper()
	folder := t.TempDir()
	source := filepath.Join(folder, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() { panic(\"no\") }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "worker")
	err := workerimage.Compile(t.Context(), workerimage.Compilation{
		Dir: "..", Package: source, Arch: "amd64", Output: program,
	})
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// verify runs the verification as the pipeline starts it. What it calls meanwhile is told the name of each step.
func (s *imageStack) verify(image string, meanwhile func(step string)) execution.Result {
	s.t.Helper()
	_, digest, _ := strings.Cut(image, "@")
	follower := execution.Follower{Client: sfn.NewFromConfig(s.AWSConfig()), Interval: 200 * time.Millisecond}
	arn, err := follower.Start(s.ctx, s.output(s.outputs, "VerifyStateMachineArn"),
		map[string]any{"reason": "pipeline", "imageDigest": digest})
	if err != nil {
		s.t.Fatal(err)
	}
	result, err := follower.Follow(s.ctx, arn, func(step execution.Step) {
		s.t.Logf("%s: %s", step.Name, step.Output)
		meanwhile(step.Name)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

// wantProven: the canary goes through the real queue, and a task of the image answers it.
func (s *imageStack) wantProven(image string) {
	s.t.Helper()
	result := s.verify(image, func(string) {})
	var report verify.Report
	if err := json.Unmarshal(result.Output, &report); err != nil {
		s.t.Fatalf("%s %s: %v", result.Error, result.Cause, err)
	}
	if report.Result != verify.VerifiedIdle || report.Canary != verify.CanaryAnswered {
		s.t.Errorf("the verification ended with %q, the canary is %q: %s", report.Result, report.Canary, report.Summary)
	}
}

// wantTakenBack: what runs now is found bad, because a message is set aside while it is watched, and the version of the
// image from before comes back; which is told once, not by the alarm of the dead-letter queue as well.
func (s *imageStack) wantTakenBack(before string) {
	s.t.Helper()
	queue := s.output(s.outputs, "DeadLetterQueueUrl")
	api := sqs.NewFromConfig(s.AWSConfig())
	result := s.verify(aws.ToString(s.taskDefinition().ContainerDefinitions[0].Image), func(step string) {
		if step != "Send Canary" {
			return
		}
		_, err := api.SendMessage(s.ctx, &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String("bad")})
		if err != nil {
			s.t.Fatal(err)
		}
	})
	if result.Error != "VersionRolledBack" {
		s.t.Errorf("the verification ended with %q: %s", result.Error, result.Cause)
	}
	s.wantRunning("a bad version", before)
	s.wantMail("rolled back")
	if more := s.mails(15 * time.Second); len(more) > 0 {
		s.t.Errorf("the topic told once more: %q", more)
	}
	s.wantHeldBack("DeadLetterQueueNotification")
	if _, err := api.PurgeQueue(s.ctx, &sqs.PurgeQueueInput{QueueUrl: &queue}); err != nil {
		s.t.Fatal(err)
	}
}

// wantHeldBack: the alarm would tell, if it were not for the verification.
func (s *imageStack) wantHeldBack(id string) {
	s.t.Helper()
	found, err := cloudwatch.NewFromConfig(s.AWSConfig()).DescribeAlarms(s.ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{s.resources("image")[id]},
		AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeCompositeAlarm},
	})
	if err != nil || len(found.CompositeAlarms) != 1 {
		s.t.Fatalf("%d alarms: %v", len(found.CompositeAlarms), err)
	}
	if a := found.CompositeAlarms[0]; a.StateValue != cwtypes.StateValueAlarm || a.ActionsSuppressedBy == "" {
		s.t.Errorf("%s is %s and held back by %q", id, a.StateValue, a.ActionsSuppressedBy)
	}
}

// mailbox makes a queue that gets what the topic gets.
func (d *deployment) mailbox(outputs deployed.Outputs) (url string) {
	d.t.Helper()
	made, err := sqs.NewFromConfig(d.AWSConfig()).CreateQueue(d.ctx, &sqs.CreateQueueInput{
		QueueName: aws.String("mailbox"),
		Attributes: map[string]string{"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
			`"Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*"}]}`},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	_, err = sns.NewFromConfig(d.AWSConfig()).Subscribe(d.ctx, &sns.SubscribeInput{
		TopicArn: aws.String(d.output(outputs, "NotificationTopicArn")), Protocol: aws.String("sqs"),
		Endpoint:   aws.String("arn:aws:sqs:us-east-1:000000000000:mailbox"),
		Attributes: map[string]string{"RawMessageDelivery": "true"},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return *made.QueueUrl
}

// mails takes what has come, for at most the wait.
func (s *imageStack) mails(wait time.Duration) (texts []string) {
	s.t.Helper()
	api := sqs.NewFromConfig(s.AWSConfig())
	for deadline := time.Now().Add(wait); len(texts) == 0 && time.Now().Before(deadline); {
		got, err := api.ReceiveMessage(s.ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &s.mailbox, MaxNumberOfMessages: 10, WaitTimeSeconds: 1,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, m := range got.Messages {
			texts = append(texts, *m.Body)
			_, err := api.DeleteMessage(s.ctx,
				&sqs.DeleteMessageInput{QueueUrl: &s.mailbox, ReceiptHandle: m.ReceiptHandle})
			if err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return texts
}

// wantMail waits for one notification, and for no other.
func (s *imageStack) wantMail(text string) {
	s.t.Helper()
	got := append(s.mails(20*time.Second), s.mails(2*time.Second)...)
	if len(got) != 1 || !strings.Contains(got[0], text) {
		s.t.Errorf("the topic told %q, want one text with %q", got, text)
	}
	for _, mail := range got {
		s.t.Log(mail)
	}
}

// wantEvents plays events of the pipeline in, which the engine has not, and looks at what the topic tells of them.
func (s *imageStack) wantEvents() {
	s.t.Helper()
	pipeline := s.output(s.outputs, "PipelineName")
	tell := func(kind string, detail map[string]any) {
		s.t.Helper()
		if detail["pipeline"] == nil {
			detail["pipeline"] = pipeline
		}
		detail["execution-id"] = "e-1"
		err := s.PutEvent(s.ctx, "aws.codepipeline", "CodePipeline "+kind+" Execution State Change", nil, detail)
		if err != nil {
			s.t.Fatal(err)
		}
	}
	failed := func(action, id string) map[string]any {
		result := map[string]any{"external-execution-summary": "it said no", "error-code": "JobFailed"}
		if id != "" {
			result["external-execution-id"], result["external-execution-url"] = id, "https://example.com/build"
		}
		return map[string]any{"stage": action, "action": action, "state": "FAILED", "execution-result": result}
	}
	tell("Action", failed(buildAction, "b-1"))
	s.wantMail("the action Build of the pipeline failed")
	tell("Action", failed(verifyAction, ""))
	s.wantMail("could not be started")
	tell("Pipeline", map[string]any{"state": "SUCCEEDED"})
	s.wantMail("its verification found nothing against it")

	// What another one tells, or nobody wants to know.
	tell("Action", failed(verifyAction, "arn:aws:states:us-east-1:000000000000:execution:image-verify:1"))
	tell("Action", map[string]any{"action": buildAction, "state": "SUCCEEDED"})
	tell("Pipeline", map[string]any{"state": "FAILED"})
	tell("Pipeline", map[string]any{"state": "SUCCEEDED", "pipeline": "another"})
	if got := s.mails(3 * time.Second); len(got) > 0 {
		s.t.Errorf("the topic told %q, want nothing", got)
	}
}

// wantNothingLeft looks for what the stack made besides its own resources.
func (s *imageStack) wantNothingLeft() {
	s.t.Helper()
	_, repository, _ := strings.Cut(s.output(s.outputs, "WorkerRepositoryUri"), "/")
	_, err := ecr.NewFromConfig(s.AWSConfig()).DescribeRepositories(s.ctx,
		&ecr.DescribeRepositoriesInput{RepositoryNames: []string{repository}})
	var gone *ecrtypes.RepositoryNotFoundException
	if !errors.As(err, &gone) {
		s.t.Errorf("the repository is left: %v", err)
	}
	_, err = ssm.NewFromConfig(s.AWSConfig()).GetParameter(s.ctx,
		&ssm.GetParameterInput{Name: aws.String("/image/worker-image")})
	var missing *ssmtypes.ParameterNotFound
	if !errors.As(err, &missing) {
		s.t.Errorf("the record of the image is left: %v", err)
	}
}
