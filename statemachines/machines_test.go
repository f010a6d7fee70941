//go:build local

package statemachines

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/produce"
	"sqs-dynamic-target-tracking/internal/retune"
)

// TestLocalMachines executes both machines on the local engine, with the functions that SAM built, until every state
// and every Catch has been reached. Faults have real causes: a permission taken away, a function misconfigured or
// without concurrency, a policy or the topic deleted by hand.
func TestLocalMachines(t *testing.T) {
	w := start(t)
	w.stopTasks(t)
	t.Run("produce", func(t *testing.T) { testProduce(t, w) })
	t.Run("retune", func(t *testing.T) { testRetune(t, w) })

	t.Run("retries", func(t *testing.T) { testRetries(t, w) })

	// Without its topic, an execution still fails with its own error; and one that cannot tell of a change that it took
	// back fails.
	w.loseTopic(t)
	e := w.watch(t, `{"windowMinutes":0.1,"minimumSamples":10,"watchMinutes":25}`, 1.5, 1, 0.5, nil)
	if e.status != sfntypes.ExecutionStatusFailed || !strings.Contains(e.cause, "Notify Restore") {
		t.Errorf("%s: %s %s", e.status, e.error, e.cause)
	}
	for machine := range machines {
		e := w.run(t, machine, `{"x":1}`)
		e.failedWith(t, "InvalidInput", "x is not a field of the input")
	}
	for machine := range machines {
		w.checkCoverage(t, machine)
	}
}

func testProduce(t *testing.T, w *world) {
	t.Run("nothing given", func(t *testing.T) {
		before := w.messages(t)
		e := w.run(t, "produce", `{}`)
		if e.status != sfntypes.ExecutionStatusSucceeded ||
			e.output["summary"] != "sent 50 messages of 5 s: 250 s of work" {
			t.Errorf("%s: %v %s", e.status, e.output, e.cause)
		}
		if got := w.messages(t) - before; got != 50 {
			t.Errorf("%d messages came into the queue, want 50", got)
		}
	})
	t.Run("50,000 messages are really sent", func(t *testing.T) {
		before := w.messages(t)
		e := w.run(t, "produce", `{"messages":50000,"durationSeconds":3600,"distribution":"lognormal","cv":2}`)
		if e.status != sfntypes.ExecutionStatusSucceeded || e.output["sent"] != 50_000.0 || e.output["ranges"] != 50.0 {
			t.Errorf("%s: %v %s", e.status, e.output, e.cause)
		}
		if got := w.messages(t) - before; got != 50_000 {
			t.Errorf("%d messages came into the queue, want 50000", got)
		}
	})
	t.Run("defect 14: a range sent twice is in a FIFO queue once", func(t *testing.T) { w.sendTwice(t) })
	t.Run("an empty bin of a trace", func(t *testing.T) {
		e := w.run(t, "produce", `{"trace":{"name":"elb","offsetSeconds":300,"arrivals":0}}`)
		if e.status != sfntypes.ExecutionStatusSucceeded || e.output["sent"] != 0.0 {
			t.Errorf("%s: %v %s", e.status, e.output, e.cause)
		}
	})
	t.Run("bad input", func(t *testing.T) {
		for input, words := range map[string]string{
			`{"messages":0,"durationSecond":5}`: "messages is 0; allowed: a whole number from 1 to 1000000; " +
				"durationSecond is not a field of the input",
			`[1]`: "the input is [1]; allowed: a JSON object",
		} {
			e := w.run(t, "produce", input)
			e.failedWith(t, "InvalidInput", "Plan Batches: ", words)
			w.notified(t, e)
		}
	})
	t.Run("may not send", func(t *testing.T) {
		restore := w.deny(t, "ProduceSendFunctionArn", "sqs:SendMessage")
		defer restore()
		e := w.run(t, "produce", `{}`)
		e.failedWith(t, "AccessDenied", "Send All Ranges: messages 0 to 49: ")
		w.notified(t, e)
	})
	t.Run("a report that cannot be made", func(t *testing.T) {
		restore := w.misconfigure(t, "ProduceReportFunctionArn", "LOG_LEVEL", "LOUD")
		defer restore()
		e := w.run(t, "produce", `{"messages":1}`)
		e.failedWith(t, "InvalidConfiguration", `Report: the function's environment is not usable: LOG_LEVEL is "LOUD"`)
		w.notified(t, e)
	})
}

// stopTasks lets no worker take messages, and nothing start one.
func (w *world) stopTasks(t *testing.T) {
	t.Helper()
	_, err := applicationautoscaling.NewFromConfig(w.config).RegisterScalableTarget(t.Context(),
		&applicationautoscaling.RegisterScalableTargetInput{
			ServiceNamespace: aastypes.ServiceNamespaceEcs, ResourceId: aws.String(w.resourceID(t)),
			ScalableDimension: aastypes.ScalableDimensionECSServiceDesiredCount,
			SuspendedState: &aastypes.SuspendedState{
				DynamicScalingInSuspended: aws.Bool(true), DynamicScalingOutSuspended: aws.Bool(true),
				ScheduledScalingSuspended: aws.Bool(true),
			},
		})
	if err != nil {
		t.Fatal(err)
	}
	_, err = ecs.NewFromConfig(w.config).UpdateService(t.Context(), &ecs.UpdateServiceInput{
		Cluster: aws.String(w.output(t, "ClusterName")), Service: aws.String(w.output(t, "ServiceName")),
		DesiredCount: aws.Int32(0),
	})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		services, err := w.cloud.Services(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		running := 0
		for _, service := range services {
			running += service.Running + service.Pending
		}
		if running == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d tasks still run", running)
		}
	}
}

// sendTwice sends a range, as a repeated step does, into a FIFO queue of its own.
func (w *world) sendTwice(t *testing.T) {
	t.Helper()
	queues := sqs.NewFromConfig(w.config)
	made, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String("twice.fifo"), Attributes: map[string]string{"FifoQueue": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := produce.NewPlan(produce.PlanRequest{
		Execution: "twice", Input: json.RawMessage(`{"messages":250,"distribution":"exponential"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	sender := &produce.Sender{Client: queues, QueueURL: *made.QueueUrl, FIFO: true}
	for range 2 {
		got, err := sender.SendRange(t.Context(), produce.SendRequest{Spec: plan.Spec, Range: plan.Ranges[0]})
		if err != nil || got.Sent != 250 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if got := w.count(t, *made.QueueUrl); got != 250 {
		t.Errorf("%d messages in the queue, want 250", got)
	}
}

// messages counts what is in the queue of the stack.
func (w *world) messages(t *testing.T) int {
	t.Helper()
	return w.count(t, w.output(t, "QueueUrl"))
}

func (w *world) count(t *testing.T, queueURL string) int {
	t.Helper()
	got, err := sqs.NewFromConfig(w.config).GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl:       &queueURL,
		AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll},
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"} {
		n, err := strconv.Atoi(got.Attributes[name])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

func (w *world) dimensions(t *testing.T) []cwtypes.Dimension {
	t.Helper()
	return []cwtypes.Dimension{
		{Name: aws.String("Type"), Value: aws.String("Single-Queue")},
		{Name: aws.String("QueueName"), Value: aws.String(w.output(t, "QueueName"))},
	}
}

// metric is the newest value of a metric of the retune.
func (w *world) metric(t *testing.T, name string) float64 {
	t.Helper()
	got, err := cloudwatch.NewFromConfig(w.config).GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(time.Now().Add(-5 * time.Minute)), EndTime: aws.Time(time.Now().Add(time.Minute)),
		ScanBy: cwtypes.ScanByTimestampDescending,
		MetricDataQueries: []cwtypes.MetricDataQuery{{
			Id: aws.String("m"), MetricStat: &cwtypes.MetricStat{
				Metric: &cwtypes.Metric{
					Namespace: aws.String("ECS-SQS-BPI"), MetricName: aws.String(name), Dimensions: w.dimensions(t),
				},
				Period: aws.Int32(60), Stat: aws.String("Maximum"),
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.MetricDataResults) != 1 || len(got.MetricDataResults[0].Values) == 0 {
		t.Errorf("%s has no data", name)
		return math.NaN()
	}
	return got.MetricDataResults[0].Values[0]
}

// resourceID is the scalable target's, without what CloudFormation adds to it.
func (w *world) resourceID(t *testing.T) string {
	t.Helper()
	id, _, _ := strings.Cut(w.output(t, "ScalableTargetId"), "|")
	return id
}

// policies returns the two target-tracking policies whole, the backlog policy first.
func (w *world) policies(t *testing.T) []aastypes.ScalingPolicy {
	t.Helper()
	got, err := applicationautoscaling.NewFromConfig(w.config).DescribeScalingPolicies(t.Context(),
		&applicationautoscaling.DescribeScalingPoliciesInput{
			ServiceNamespace: aastypes.ServiceNamespaceEcs, ResourceId: aws.String(w.resourceID(t)),
			PolicyNames: []string{stackName + "-backlog", stackName + "-rate"},
		})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.ScalingPolicies) != 2 {
		t.Fatalf("%d policies", len(got.ScalingPolicies))
	}
	slices.SortFunc(got.ScalingPolicies, func(a, b aastypes.ScalingPolicy) int {
		if *a.PolicyName < *b.PolicyName {
			return -1
		}
		return 1
	})
	return got.ScalingPolicies
}

func (w *world) checkOnlyTargetsChanged(t *testing.T, before []aastypes.ScalingPolicy, want retune.Targets) {
	t.Helper()
	for i, after := range w.policies(t) {
		target := []float64{want.Backlog, want.Rate}[i]
		if got := *after.TargetTrackingScalingPolicyConfiguration.TargetValue; math.Abs(got-target) > 0.001*target {
			t.Errorf("%s has the target %g, want %g", *after.PolicyName, got, target)
		}
		configuration := *before[i].TargetTrackingScalingPolicyConfiguration
		configuration.TargetValue = after.TargetTrackingScalingPolicyConfiguration.TargetValue
		if !reflect.DeepEqual(configuration, *after.TargetTrackingScalingPolicyConfiguration) {
			t.Errorf("more than the target of %s changed", *after.PolicyName)
		}
	}
}

func (w *world) checkRecord(t *testing.T, execution string, seconds float64, samples int) {
	t.Helper()
	got, err := ssm.NewFromConfig(w.config).GetParameter(t.Context(), &ssm.GetParameterInput{
		Name: aws.String(fmt.Sprintf("/%s/tuning", stackName)),
	})
	if err != nil {
		t.Fatal(err)
	}
	var record retune.Record
	if err := json.Unmarshal([]byte(*got.Parameter.Value), &record); err != nil {
		t.Fatal(err)
	}
	if record.Execution != execution || math.Abs(record.ProcessingSeconds-seconds) > 1e-6 || record.Samples != samples {
		t.Errorf("the record says %+v", record)
	}
}
