//go:build local

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/localcloud"
	"sqs-dynamic-target-tracking/internal/retune"
	deployed "sqs-dynamic-target-tracking/internal/stack"
)

// deployment is a local engine and what a test asks of it.
type deployment struct {
	*localcloud.Cloud
	t   *testing.T
	ctx context.Context
}

func startLocal(t *testing.T) *deployment {
	t.Helper()
	return startLocalAt(t, localcloud.Config{Root: ".."})
}

func startLocalAt(t *testing.T, config localcloud.Config) *deployment {
	t.Helper()
	config.Progress = func(line string) { t.Log(line) }
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	cloud, err := localcloud.Start(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return &deployment{Cloud: cloud, t: t, ctx: ctx}
}

// deploy runs sam deploy; the end of its output is in the error.
func (d *deployment) deploy(name string, parameters map[string]string) deployed.Outputs {
	d.t.Helper()
	if err := d.Deploy(d.ctx, name, parameters, io.Discard); err != nil {
		d.t.Fatal(err)
	}
	outputs, err := deployed.Describe(d.ctx, cloudformation.NewFromConfig(d.AWSConfig()), name)
	if err != nil {
		d.t.Fatal(err)
	}
	return outputs
}

func (d *deployment) output(outputs deployed.Outputs, key string) string {
	d.t.Helper()
	value, err := outputs.Get(key)
	if err != nil {
		d.t.Fatal(err)
	}
	return value
}

// policies are the scaling policies of a stack, by the last part of their names.
func (d *deployment) policies(name string, outputs deployed.Outputs) map[string]scalingtypes.ScalingPolicy {
	d.t.Helper()
	resource := "service/" + d.output(outputs, "ClusterName") + "/" + d.output(outputs, "ServiceName")
	found, err := applicationautoscaling.NewFromConfig(d.AWSConfig()).DescribeScalingPolicies(d.ctx,
		&applicationautoscaling.DescribeScalingPoliciesInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ResourceId: &resource,
		})
	if err != nil {
		d.t.Fatal(err)
	}
	policies := map[string]scalingtypes.ScalingPolicy{}
	for _, p := range found.ScalingPolicies {
		policies[strings.TrimPrefix(*p.PolicyName, name+"-")] = p
	}
	return policies
}

func (d *deployment) wantTargets(name string, outputs deployed.Outputs, wanted backlog.Targets) {
	d.t.Helper()
	policies := d.policies(name, outputs)
	for kind, value := range map[string]float64{"backlog": wanted.Backlog, "rate": wanted.Rate} {
		p, ok := policies[kind]
		if !ok {
			d.t.Fatalf("stack %s has no %s policy", name, kind)
		}
		got := aws.ToFloat64(p.TargetTrackingScalingPolicyConfiguration.TargetValue)
		if math.Abs(got-value) > value*1e-3 { // InitialTargets rounds to four digits
			d.t.Errorf("stack %s: the %s target is %g, want %g", name, kind, got, value)
		}
	}
}

func targets(t *testing.T, p backlog.Promise, processing time.Duration) backlog.Targets {
	t.Helper()
	wanted, err := p.Targets(processing)
	if err != nil {
		t.Fatal(err)
	}
	return wanted
}

// Three deployments that have little in common, each with the targets that its
// parameters give; updates of the first; and the end of all.
func TestLocalDeployments(t *testing.T) {
	d := startLocal(t)
	// Retunes start by hand only, until the updates have been looked at; they move the targets by the formula, and do
	// not watch what they did.
	first := d.deploy("first", map[string]string{
		"RetuneState": "DISABLED", "RetuneChoice": "formula", "RetuneWatchMinutes": "0", "Headroom": "1",
		"MetricPeriodSeconds": "10", "RetuneWindowMinutes": "60", // a retune measures whole periods since the rollout
	})
	promise := backlog.Promise{
		AcceptableDelay: 60 * time.Second, Headroom: 1, Utilization: 0.8, Concurrency: 1, Period: 10 * time.Second,
	}
	d.wantTargets("first", first, targets(t, promise, 5*time.Second))
	if policies := d.policies("first", first); len(policies) != 2 {
		t.Errorf("first: %d policies, want 2: no step from zero with MinTasks 1", len(policies))
	}
	d.wantQueueType(first, "standard")
	d.wantProducerDisabled("first")

	fifo := d.deploy("fifo", map[string]string{
		"QueueType": "fifo", "MinTasks": "0", "AcceptableDelaySeconds": "10", "InitialProcessingSeconds": "0.3",
		"WorkerConcurrency": "4", "Headroom": "0.5", "Utilization": "0.7", "SpotShare": "50", "EnableExec": "true",
		"NotificationEmail": "someone@example.com",
	})
	d.wantTargets("fifo", fifo, targets(t, backlog.Promise{
		AcceptableDelay: 10 * time.Second, Headroom: 0.5, Utilization: 0.7, Concurrency: 4, Period: time.Minute,
	}, 300*time.Millisecond))
	if step, ok := d.policies("fifo", fifo)["from-zero"]; !ok || step.PolicyType != scalingtypes.PolicyTypeStepScaling {
		t.Error("fifo: no step policy from zero with MinTasks 0")
	}
	d.wantQueueType(fifo, "fifo")

	existing := d.deploy("existing", d.existing("first", first))
	slow := promise
	slow.Period = time.Minute
	d.wantTargets("existing", existing, targets(t, slow, 900*time.Second))
	if got := d.output(existing, "QueueName"); got != "given.fifo" {
		t.Errorf("existing: the queue is %q", got)
	}
	d.wantQueueType(existing, "fifo")
	if _, made := d.resources("existing")["WorkerRepository"]; made {
		t.Error("existing: a repository was made although an image is given")
	}
	if got, want := d.output(existing, "ClusterName"), d.output(first, "ClusterName"); got != want {
		t.Errorf("existing: the cluster is %q, want %q", got, want)
	}

	d.updates("first", first, promise)

	for _, name := range []string{"existing", "fifo", "first"} {
		d.delete(name)
	}
	if _, err := sqs.NewFromConfig(d.AWSConfig()).GetQueueUrl(d.ctx,
		&sqs.GetQueueUrlInput{QueueName: aws.String("given.fifo")}); err != nil {
		t.Errorf("the given queue went with the stack: %v", err)
	}
}

// updates checks that an update after a retune keeps what was tuned, and is
// followed by a retune (defect 6).
func (d *deployment) updates(name string, outputs deployed.Outputs, promise backlog.Promise) {
	d.t.Helper()
	d.publishDurations(outputs, 8, 200)
	outcome := d.retune(outputs)
	if outcome.Applied == nil {
		d.t.Fatalf("the retune ended with %q: %s", outcome.Outcome, outcome.Summary)
	}
	d.wantTargets(name, outputs, targets(d.t, promise, 8*time.Second))

	// Both policies are written again, with another cooldown; the initial
	// duration is another, too, and must not come through.
	outputs = d.deploy(name, map[string]string{"ScaleInCooldownSeconds": "240", "InitialProcessingSeconds": "2"})
	d.wantTargets(name, outputs, targets(d.t, promise, 8*time.Second))
	for kind, p := range d.policies(name, outputs) {
		if got := aws.ToInt32(p.TargetTrackingScalingPolicyConfiguration.ScaleInCooldown); got != 240 {
			d.t.Errorf("the %s policy was not written: its cooldown is %d", kind, got)
		}
	}

	// Nothing changes nothing.
	outputs = d.deploy(name, nil)
	d.wantTargets(name, outputs, targets(d.t, promise, 8*time.Second))

	// Another promise, from the same measured duration; and retunes are on again.
	promise.AcceptableDelay = 120 * time.Second
	outputs = d.deploy(name, map[string]string{"AcceptableDelaySeconds": "120", "RetuneState": "ENABLED"})
	d.wantTargets(name, outputs, targets(d.t, promise, 8*time.Second))
	d.wantRetuneAfterUpdate(name, outputs)
}

// existing makes two queues and answers the parameters of a stack that uses
// them, an image, and cluster and network of another stack.
func (d *deployment) existing(name string, outputs deployed.Outputs) map[string]string {
	d.t.Helper()
	arns := map[string]string{}
	queues := sqs.NewFromConfig(d.AWSConfig())
	for _, queue := range []string{"given.fifo", "given-failed.fifo"} {
		made, err := queues.CreateQueue(d.ctx, &sqs.CreateQueueInput{
			QueueName: &queue, Attributes: map[string]string{"FifoQueue": "true"},
		})
		if err != nil {
			d.t.Fatal(err)
		}
		attributes, err := queues.GetQueueAttributes(d.ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
		})
		if err != nil {
			d.t.Fatal(err)
		}
		arns[queue] = attributes.Attributes["QueueArn"]
	}
	made := d.resources(name)
	return map[string]string{
		"QueueArn": arns["given.fifo"], "DeadLetterQueueArn": arns["given-failed.fifo"],
		"ClusterName": d.output(outputs, "ClusterName"),
		"VpcId":       made["Vpc"], "SubnetIds": made["PrivateSubnet1"] + "," + made["PrivateSubnet2"],
		"InitialProcessingSeconds": "900", "MinTasks": "1", "MaxTasks": "1", "Headroom": "1",
		"WorkerImage": localcloud.WorkerImage,
	}
}

// resources are the physical ids of a stack.
func (d *deployment) resources(name string) map[string]string {
	d.t.Helper()
	found, err := cloudformation.NewFromConfig(d.AWSConfig()).DescribeStackResources(d.ctx,
		&cloudformation.DescribeStackResourcesInput{StackName: &name})
	if err != nil {
		d.t.Fatal(err)
	}
	ids := map[string]string{}
	for _, r := range found.StackResources {
		ids[*r.LogicalResourceId] = aws.ToString(r.PhysicalResourceId)
	}
	return ids
}

func (d *deployment) wantQueueType(outputs deployed.Outputs, want string) {
	d.t.Helper()
	function, err := lambda.NewFromConfig(d.AWSConfig()).GetFunctionConfiguration(d.ctx,
		&lambda.GetFunctionConfigurationInput{FunctionName: aws.String(d.output(outputs, "ProduceSendFunctionArn"))})
	if err != nil {
		d.t.Fatal(err)
	}
	if got := function.Environment.Variables["QUEUE_TYPE"]; got != want {
		d.t.Errorf("QUEUE_TYPE is %q, want %q", got, want)
	}
	if fifo := strings.HasSuffix(d.output(outputs, "QueueName"), ".fifo"); fifo != (want == "fifo") {
		d.t.Errorf("the queue's name is %q, want one of a %s queue", d.output(outputs, "QueueName"), want)
	}
}

func (d *deployment) wantProducerDisabled(name string) {
	d.t.Helper()
	rule, err := eventbridge.NewFromConfig(d.AWSConfig()).DescribeRule(d.ctx,
		&eventbridge.DescribeRuleInput{Name: aws.String(name + "-SQSTestMessageProducer")})
	if err != nil {
		d.t.Fatal(err)
	}
	if rule.State != "DISABLED" {
		d.t.Errorf("the test load is %s after a deployment", rule.State)
	}
}

// delete deletes a stack and checks that nothing stays but the task definitions.
func (d *deployment) delete(name string) {
	d.t.Helper()
	if err := d.Delete(d.ctx, name, io.Discard); err != nil {
		d.t.Fatal(err)
	}
	_, err := deployed.Describe(d.ctx, cloudformation.NewFromConfig(d.AWSConfig()), name)
	if err == nil || !strings.Contains(err.Error(), "does not exist") {
		d.t.Errorf("stack %s after its deletion: %v", name, err)
	}
	queues, err := sqs.NewFromConfig(d.AWSConfig()).ListQueues(d.ctx, &sqs.ListQueuesInput{QueueNamePrefix: &name})
	if err != nil || len(queues.QueueUrls) > 0 {
		d.t.Errorf("queues of %s are left: %v %v", name, queues.QueueUrls, err)
	}
	if d.tuning(name) != "" {
		d.t.Errorf("the tuning record of %s is left", name)
	}
	families, err := ecs.NewFromConfig(d.AWSConfig()).ListTaskDefinitions(d.ctx,
		&ecs.ListTaskDefinitionsInput{FamilyPrefix: aws.String(name + "-worker")})
	if err != nil || len(families.TaskDefinitionArns) == 0 {
		d.t.Errorf("the task definitions of %s went with the stack: %v", name, err)
	}
}

// tuning is the record of the last retune, blank when there is none.
func (d *deployment) tuning(name string) string {
	d.t.Helper()
	record, err := ssm.NewFromConfig(d.AWSConfig()).GetParameter(d.ctx,
		&ssm.GetParameterInput{Name: aws.String("/" + name + "/tuning")})
	var missing *ssmtypes.ParameterNotFound
	if errors.As(err, &missing) {
		return ""
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return *record.Parameter.Value
}

// publishDurations publishes what a worker would have measured.
func (d *deployment) publishDurations(outputs deployed.Outputs, seconds, count float64) {
	d.t.Helper()
	_, err := cloudwatch.NewFromConfig(d.AWSConfig()).PutMetricData(d.ctx, &cloudwatch.PutMetricDataInput{
		Namespace: aws.String(metricNamespace),
		MetricData: []cwtypes.MetricDatum{{
			MetricName: aws.String("MsgProcessingDuration"), Unit: cwtypes.StandardUnitSeconds,
			Timestamp: aws.Time(time.Now()), // a retune measures what came after the rollout
			Values:    []float64{seconds}, Counts: []float64{count},
			Dimensions: []cwtypes.Dimension{
				{Name: aws.String("Type"), Value: aws.String(metricType)},
				{Name: aws.String("QueueName"), Value: aws.String(d.output(outputs, "QueueName"))},
			},
		}},
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// retune runs one by hand.
func (d *deployment) retune(outputs deployed.Outputs) retune.Outcome {
	d.t.Helper()
	follower := execution.Follower{Client: sfn.NewFromConfig(d.AWSConfig())}
	arn, err := follower.Start(d.ctx, d.output(outputs, "RetuneStateMachineArn"), map[string]any{"reason": "test"})
	if err != nil {
		d.t.Fatal(err)
	}
	result, err := follower.Follow(d.ctx, arn, nil)
	if err != nil || !result.Succeeded() {
		d.t.Fatalf("retune: %v %s %s", err, result.Error, result.Cause)
	}
	var outcome retune.Outcome
	if err := json.Unmarshal(result.Output, &outcome); err != nil {
		d.t.Fatal(err)
	}
	return outcome
}

// wantRetuneAfterUpdate checks that the last update of the stack has started one
// retune, and plays in the update of another stack, which must not.
func (d *deployment) wantRetuneAfterUpdate(name string, outputs deployed.Outputs) {
	d.t.Helper()
	another := strings.Replace(d.stackID(name), name, "another", 1)
	detail := map[string]any{"stack-id": another, "status-details": map[string]any{"status": "UPDATE_COMPLETE"}}
	if err := d.PutEvent(d.ctx, "aws.cloudformation", "CloudFormation Stack Status Change", []string{another},
		detail); err != nil {
		d.t.Fatal(err)
	}
	count := func() (started int) {
		for _, input := range d.retuneInputs(outputs) {
			if input == `{"reason":"stack update"}` {
				started++
			}
		}
		return started
	}
	for wait := time.Now().Add(20 * time.Second); count() == 0; time.Sleep(500 * time.Millisecond) {
		if time.Now().After(wait) {
			d.t.Fatal("no retune was started by the update of the stack")
		}
	}
	time.Sleep(time.Second) // for one too many
	started := count()
	if started != 1 {
		d.t.Errorf("%d retunes after an update of this stack and one of another, want 1", started)
	}
}

func (d *deployment) stackID(name string) string {
	d.t.Helper()
	found, err := cloudformation.NewFromConfig(d.AWSConfig()).DescribeStacks(d.ctx,
		&cloudformation.DescribeStacksInput{StackName: aws.String(name)})
	if err != nil {
		d.t.Fatal(err)
	}
	return *found.Stacks[0].StackId
}

// retuneInputs are the inputs of all retunes so far.
func (d *deployment) retuneInputs(outputs deployed.Outputs) (inputs []string) {
	d.t.Helper()
	machines := sfn.NewFromConfig(d.AWSConfig())
	listed, err := machines.ListExecutions(d.ctx,
		&sfn.ListExecutionsInput{StateMachineArn: aws.String(d.output(outputs, "RetuneStateMachineArn"))})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range listed.Executions {
		described, err := machines.DescribeExecution(d.ctx, &sfn.DescribeExecutionInput{ExecutionArn: e.ExecutionArn})
		if err != nil {
			d.t.Fatal(err)
		}
		inputs = append(inputs, aws.ToString(described.Input))
	}
	return inputs
}
