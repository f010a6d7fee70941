//go:build local

package statemachines

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"sqs-dynamic-target-tracking/internal/localcloud"
	"sqs-dynamic-target-tracking/internal/stack"
)

const stackName = "machines"

// world is a stack deployed on the local engine: real machines, real functions, real policies.
type world struct {
	cloud   *localcloud.Cloud
	config  aws.Config
	outputs stack.Outputs
	mailbox string // URL of a queue that receives what the topic sends
	covered map[string]*coverage
}

// coverage is what the executions of one machine have reached.
type coverage struct {
	states  map[string]bool
	catches map[string]bool // by the state that caught
}

func newCoverage() *coverage { return &coverage{map[string]bool{}, map[string]bool{}} }

func start(t *testing.T) *world {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Config{
		Root: "..", Speed: 60, SFNWaitScale: 0.005, Progress: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{cloud: cloud, config: cloud.AWSConfig(), covered: map[string]*coverage{}}
	w.deploy(t)
	w.subscribe(t)
	return w
}

// deploy deploys the stack with no tasks, so that nothing takes the messages that are counted, and with a metric period
// of a second, which the speed of the engine allows. Retunes start by themselves on drift, as the test wants to see,
// but
// on no schedule.
func (w *world) deploy(t *testing.T) {
	t.Helper()
	parameters := map[string]string{"MinTasks": "0", "MetricPeriodSeconds": "1", "RetuneWindowMinutes": "60",
		"RetuneSchedule": "rate(365 days)", "Headroom": "1", "RetuneChoice": "formula"}
	var out strings.Builder
	if err := w.cloud.Deploy(t.Context(), stackName, parameters, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	var err error
	w.outputs, err = stack.Describe(t.Context(), cloudformation.NewFromConfig(w.config), stackName)
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) output(t *testing.T, key string) string {
	t.Helper()
	value, err := w.outputs.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// subscribe makes a queue that receives the notifications.
func (w *world) subscribe(t *testing.T) {
	t.Helper()
	queues := sqs.NewFromConfig(w.config)
	made, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String("mailbox"),
		Attributes: map[string]string{"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` +
			`"Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*"}]}`},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.mailbox = *made.QueueUrl
	attributes, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = sns.NewFromConfig(w.config).Subscribe(t.Context(), &sns.SubscribeInput{
		TopicArn: aws.String(w.output(t, "NotificationTopicArn")), Protocol: aws.String("sqs"),
		Endpoint: aws.String(attributes.Attributes["QueueArn"]),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ended is an execution that is over.
type ended struct {
	arn          string
	status       sfntypes.ExecutionStatus
	output       map[string]any
	error, cause string
	path         []string // states in the order in which they were entered
	failures     int      // of tasks, repetitions included
}

// run executes a deployed machine ("produce", "retune") to its end and notes what it reached.
func (w *world) run(t *testing.T, machine, input string) ended {
	t.Helper()
	if w.covered[machine] == nil {
		w.covered[machine] = newCoverage()
	}
	return w.execute(t, machine, w.machineArn(t, machine), input, w.covered[machine])
}

func (w *world) machineArn(t *testing.T, machine string) string {
	t.Helper()
	return w.output(t, map[string]string{
		"produce": "ProduceStateMachineArn", "retune": "RetuneStateMachineArn",
	}[machine])
}

// execute runs the machine with that ARN, which has the definition of a machine of the stack.
func (w *world) execute(t *testing.T, machine, arn, input string, c *coverage) ended {
	t.Helper()
	return w.follow(t, machine, w.launch(t, arn, input), c)
}

// begin starts an execution of a deployed machine; finish follows it to its end.
func (w *world) begin(t *testing.T, machine, input string) (execution string) {
	t.Helper()
	return w.launch(t, w.machineArn(t, machine), input)
}

func (w *world) finish(t *testing.T, machine, execution string) ended {
	t.Helper()
	return w.follow(t, machine, execution, w.covered[machine])
}

func (w *world) launch(t *testing.T, arn, input string) (execution string) {
	t.Helper()
	began, err := sfn.NewFromConfig(w.config).StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: &arn, Input: &input,
	})
	if err != nil {
		t.Fatal(err)
	}
	return *began.ExecutionArn
}

func (w *world) follow(t *testing.T, machine, execution string, c *coverage) ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := sfn.NewFromConfig(w.config)
	e := ended{arn: execution}
	for e.status == "" || e.status == sfntypes.ExecutionStatusRunning {
		described, err := client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})
		if err != nil {
			t.Fatalf("%s %s: %v", machine, execution, err)
		}
		e.status, e.error, e.cause = described.Status, aws.ToString(described.Error), aws.ToString(described.Cause)
		if e.status == sfntypes.ExecutionStatusSucceeded {
			if err := json.Unmarshal([]byte(*described.Output), &e.output); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	d, _ := load(t, machine)
	w.note(t, d, &e, c)
	return e
}

// note reads the history of an execution into its path and into what is covered.
func (w *world) note(t *testing.T, d definition, e *ended, c *coverage) {
	t.Helper()
	var entered string // the state that the events belong to
	var failed bool    // its last task event was a failure
	pages := sfn.NewGetExecutionHistoryPaginator(sfn.NewFromConfig(w.config), &sfn.GetExecutionHistoryInput{
		ExecutionArn: &e.arn, MaxResults: 1000,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range page.Events {
			switch {
			case event.StateEnteredEventDetails != nil:
				next := *event.StateEnteredEventDetails.Name
				if failed && len(d.States[entered].Catch) > 0 && d.States[entered].Catch[0].Next == next {
					c.catches[entered] = true
				}
				entered, failed = next, false
				e.path = append(e.path, next)
				c.states[next] = true
			case event.TaskScheduledEventDetails != nil:
				// The engine records no states of a Map's iterations, but which function they call.
				if inner := taskOf(d.States[entered], *event.TaskScheduledEventDetails.Resource); inner != "" {
					c.states[inner] = true
				}
			case event.TaskFailedEventDetails != nil:
				failed = true
				e.failures++
			case event.TaskSucceededEventDetails != nil:
				failed = false
			}
		}
	}
}

// taskOf is the Task of a Map's processor that calls the function.
func taskOf(mapState state, functionArn string) string {
	if mapState.ItemProcessor == nil {
		return ""
	}
	for name, s := range mapState.ItemProcessor.States {
		placeholder := strings.Trim(s.Resource, "${}")
		if strings.Contains(functionArn, strings.TrimSuffix(placeholder, "Arn")) {
			return name
		}
	}
	return ""
}

// checkCoverage holds what was reached against the definition.
func (w *world) checkCoverage(t *testing.T, machine string) {
	t.Helper()
	d, _ := load(t, machine)
	c := w.covered[machine]
	states := d.all()
	for name, s := range states {
		if !c.states[name] {
			t.Errorf("%s: no execution reached %q", machine, name)
		}
		if len(s.Catch) > 0 && !c.catches[name] {
			t.Errorf("%s: no execution reached the Catch of %q", machine, name)
		}
	}
	for name := range c.states {
		if _, exists := states[name]; !exists {
			t.Errorf("%s: executions reached %q, which the definition does not have", machine, name)
		}
	}
}

// notified takes the notifications that have come, and fails unless exactly one of them is about the execution.
func (w *world) notified(t *testing.T, e ended) {
	t.Helper()
	queues := sqs.NewFromConfig(w.config)
	about := 0
	for wait := int32(2); ; wait = 0 {
		got, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: &w.mailbox, MaxNumberOfMessages: 10, WaitTimeSeconds: wait,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range got.Messages {
			if strings.Contains(*message.Body, e.arn) {
				about++
				if !strings.Contains(*message.Body, e.error) {
					t.Errorf("the notification does not name the error %s: %s", e.error, *message.Body)
				}
			}
			_, err := queues.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{
				QueueUrl: &w.mailbox, ReceiptHandle: message.ReceiptHandle,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(got.Messages) == 0 {
			break
		}
	}
	if about != 1 {
		t.Errorf("%d notifications about the failed execution %s, want 1", about, e.arn)
	}
}

// deny takes a permission from a function until the returned func is called.
func (w *world) deny(t *testing.T, functionKey, action string) (restore func()) {
	t.Helper()
	function, err := lambda.NewFromConfig(w.config).GetFunction(t.Context(), &lambda.GetFunctionInput{
		FunctionName: aws.String(w.output(t, functionKey)),
	})
	if err != nil {
		t.Fatal(err)
	}
	role := (*function.Configuration.Role)[strings.LastIndex(*function.Configuration.Role, "/")+1:]
	client := iam.NewFromConfig(w.config)
	_, err = client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
		RoleName: &role, PolicyName: aws.String("refuse"), PolicyDocument: aws.String(fmt.Sprintf(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":%q,"Resource":"*"}]}`, action)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		_, err := client.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{
			RoleName: &role, PolicyName: aws.String("refuse"),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// misconfigure sets a variable of a function until the returned func is called.
func (w *world) misconfigure(t *testing.T, functionKey, name, value string) (restore func()) {
	t.Helper()
	client := lambda.NewFromConfig(w.config)
	arn := w.output(t, functionKey)
	function, err := client.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &arn})
	if err != nil {
		t.Fatal(err)
	}
	before := function.Configuration.Environment.Variables
	set := func(variables map[string]string) {
		_, err := client.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &arn, Environment: &lambdatypes.Environment{Variables: variables},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	after := map[string]string{name: value}
	for k, v := range before {
		if k != name {
			after[k] = v
		}
	}
	set(after)
	return func() { set(before) }
}

// loseTopic deletes the topic, as somebody may by hand.
func (w *world) loseTopic(t *testing.T) {
	t.Helper()
	_, err := sns.NewFromConfig(w.config).DeleteTopic(t.Context(), &sns.DeleteTopicInput{
		TopicArn: aws.String(w.output(t, "NotificationTopicArn")),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// failedWith checks how an execution failed.
func (e ended) failedWith(t *testing.T, name string, words ...string) {
	t.Helper()
	if e.status != sfntypes.ExecutionStatusFailed {
		t.Fatalf("it did not fail: %s, %v", e.status, e.output)
	}
	if e.error != name {
		t.Errorf("it failed with the error %s, want %s; the cause is %s", e.error, name, e.cause)
	}
	for _, want := range words {
		if !strings.Contains(e.cause, want) {
			t.Errorf("the cause %q does not say %q", e.cause, want)
		}
	}
}
