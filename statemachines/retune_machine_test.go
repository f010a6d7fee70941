//go:build local

package statemachines

import (
	"math"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"sqs-dynamic-target-tracking/internal/retune"
)

// The stack has a metric period of 1 s, so that the seconds of a test are what minutes are on AWS.

// testRetune reaches every state and every Catch of the retune machine, in the order of its picture.
func testRetune(t *testing.T, w *world) {
	t.Run("refused", func(t *testing.T) { testRetuneRefuses(t, w) })
	t.Run("measured and applied", func(t *testing.T) { testRetuneApplies(t, w) })
	t.Run("one at a time", func(t *testing.T) { testRetuneTakesTurns(t, w) })
	t.Run("faults", func(t *testing.T) { testRetuneFaults(t, w) })
	t.Run("watched", func(t *testing.T) { testRetuneWatches(t, w) })
	t.Run("drift", func(t *testing.T) { testRetuneOnDrift(t, w) })
	t.Run("by hand", func(t *testing.T) { testRetuneByHand(t, w) })
	t.Run("a policy is gone", func(t *testing.T) {
		rate := w.policies(t)[1]
		defer w.put(t, rate)
		_, err := applicationautoscaling.NewFromConfig(w.config).DeleteScalingPolicy(t.Context(),
			&applicationautoscaling.DeleteScalingPolicyInput{
				PolicyName: aws.String(stackName + "-rate"), ServiceNamespace: aastypes.ServiceNamespaceEcs,
				ResourceId:        aws.String(w.resourceID(t)),
				ScalableDimension: aastypes.ScalableDimensionECSServiceDesiredCount,
			})
		if err != nil {
			t.Fatal(err)
		}
		e := w.run(t, "retune", `{}`)
		e.failedWith(t, "PolicyMissing", "Measure Duration: the scaling policy machines-rate of service/")
		w.notified(t, e)
	})
}

func testRetuneRefuses(t *testing.T, w *world) {
	t.Run("bad input", func(t *testing.T) {
		e := w.run(t, "retune", `{"dryrun":true,"windowMinutes":1441}`)
		e.failedWith(t, "InvalidInput", "Take Turn: ", "windowMinutes is 1441; allowed: a number from ",
			"dryrun is not a field of the input; allowed: reason, dryRun, windowMinutes, minimumSamples, maximumFactor")
		w.notified(t, e)
	})
	t.Run("too few samples", func(t *testing.T) {
		w.measured(t, 0.5, 20)
		e := w.run(t, "retune", `{}`)
		e.endedWith(t, "kept: too few samples", "20 samples are fewer than the minimum of 30")
		// ecsTargetBPI is published all the same: its line has no gaps.
		if got := w.metric(t, "ecsTargetBPI"); math.Abs(got-13) > 0.001 {
			t.Errorf("ecsTargetBPI is %g, want the 13 in force", got)
		}
	})
}

func testRetuneApplies(t *testing.T, w *world) {
	w.measured(t, 0.5, 160)
	w.measured(t, 20, 20) // the newest period is no more than its samples
	const mean = (0.5*180 + 20*20) / 200
	t.Run("dry run", func(t *testing.T) {
		before := w.policies(t)
		e := w.run(t, "retune", `{"dryRun":true,"reason":"to see"}`)
		e.endedWith(t, "dry run: nothing changed", "from 13 to")
		if e.output["reason"] != "to see" || !reflect.DeepEqual(before, w.policies(t)) {
			t.Errorf(
				"reason %v; the policies are the same: %v",
				e.output["reason"],
				reflect.DeepEqual(before, w.policies(t)),
			)
		}
	})
	t.Run("applied", func(t *testing.T) {
		before := w.policies(t)
		e := w.run(t, "retune", `{"watchMinutes":0}`)
		e.endedWith(t, "applied", "")
		want := retune.Targets{Backlog: 1 + 60/mean, Rate: 0.8 / mean}
		w.checkOnlyTargetsChanged(t, before, want)
		w.checkRecord(t, e.arn, mean, 200)
		if got := w.metric(t, "ecsTargetBPI"); math.Abs(got-want.Backlog) > 0.001*want.Backlog {
			t.Errorf("ecsTargetBPI is %g, want %g", got, want.Backlog)
		}
		if got := w.driftExpression(t); got != "duration / 2.45" {
			t.Errorf("the drift alarm computes %q", got)
		}
		if run := w.lastRun(t); run.Outcome != "applied" || run.Samples != 200 || run.Before.Backlog != 13 ||
			!strings.HasSuffix(e.arn, run.Execution) {
			t.Errorf("the line of the run says %+v", run)
		}
	})
	t.Run("within the dead band", func(t *testing.T) {
		w.run(t, "retune", `{}`).endedWith(t, "kept: within the dead band", "")
	})
}

// testRetuneTakesTurns holds an execution up in a real step, by a service that does not answer until it may.
func testRetuneTakesTurns(t *testing.T, w *world) {
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	restore := w.intercept(t, "RetuneMeasureFunctionArn", "SSM", func(string) string {
		once.Do(func() { close(held) })
		<-hold
		return ""
	})
	defer restore()
	first := w.begin(t, "retune", `{"reason":"the first"}`)
	<-held
	skips := w.run(t, "retune", `{"reason":"schedule","onBusy":"skip"}`)
	skips.endedWith(t, "skipped", "the execution "+first[strings.LastIndexByte(first, ':')+1:]+" is at work since ")
	waits := w.begin(t, "retune", `{"reason":"stack update"}`)
	w.entered(t, waits, "Wait For Turn")
	// Two that start together do not both give way: the one that began first, or has the smaller ARN, waits for the
	// first and then goes on, the other waits for it.
	twins := []string{w.begin(t, "retune", `{"reason":"a twin"}`), w.begin(t, "retune", `{"reason":"a twin"}`)}
	for _, twin := range twins {
		w.entered(t, twin, "Wait For Turn")
	}
	close(hold)
	for _, arn := range append([]string{first, waits}, twins...) {
		e := w.finish(t, "retune", arn)
		e.endedWith(t, "kept: within the dead band", "")
	}
}

func testRetuneFaults(t *testing.T, w *world) {
	for functionKey, step := range map[string]string{
		"RetuneTurnFunctionArn": "Take Turn", "RetuneMeasureFunctionArn": "Measure Duration",
	} {
		t.Run(step+" is misconfigured", func(t *testing.T) {
			restore := w.misconfigure(t, functionKey, "METRIC_NAMESPACE", "")
			defer restore()
			e := w.run(t, "retune", `{}`)
			e.failedWith(
				t,
				"InvalidConfiguration",
				step+": the function's environment is not usable: METRIC_NAMESPACE is empty",
			)
			w.notified(t, e)
		})
	}
	w.measured(t, 4, 2000) // so that there is something to change again
	t.Run("a decision that cannot be made", func(t *testing.T) {
		restore := w.misconfigure(t, "RetuneDecideFunctionArn", "UTILIZATION", "2")
		defer restore()
		e := w.run(t, "retune", `{}`)
		e.failedWith(t, "InvalidConfiguration",
			`Decide Targets: the function's environment is not usable: UTILIZATION is "2"`)
		w.notified(t, e)
	})
	t.Run("may not write policies", func(t *testing.T) {
		before := w.policies(t)
		restore := w.deny(t, "RetuneApplyFunctionArn", "application-autoscaling:PutScalingPolicy")
		defer restore()
		e := w.run(t, "retune", `{}`)
		e.failedWith(t, "AccessDeniedException", "Apply Targets: write the scaling policy machines-backlog")
		w.notified(t, e)
		if !reflect.DeepEqual(before, w.policies(t)) {
			t.Error("the policies changed")
		}
	})
	t.Run("the second policy cannot be written", func(t *testing.T) {
		before, writes := w.policies(t), 0
		restore := w.intercept(t, "RetuneApplyFunctionArn", "APPLICATION_AUTO_SCALING", func(action string) string {
			if action == "PutScalingPolicy" {
				if writes++; writes == 2 {
					return "ValidationException"
				}
			}
			return ""
		})
		defer restore()
		e := w.run(t, "retune", `{}`)
		e.failedWith(t, "TargetsRestored",
			"machines-rate could not be changed, so machines-backlog was given its old target back: nothing changed")
		w.notified(t, e)
		if after := w.policies(t); !reflect.DeepEqual(configurations(before), configurations(after)) {
			t.Error("the policies changed")
		}
	})
	t.Run("somebody else sets a target meanwhile", func(t *testing.T) {
		read := false
		restore := w.intercept(t, "RetuneApplyFunctionArn", "APPLICATION_AUTO_SCALING", func(action string) string {
			if action == "DescribeScalingPolicies" && !read {
				read = true
				w.setTargets(t, retune.Targets{Backlog: 77, Rate: 0.5})
			}
			return ""
		})
		defer restore()
		e := w.run(t, "retune", `{}`)
		e.endedWith(t, "kept: changed by somebody else meanwhile", "somebody else set the targets to 77 and 0.5")
	})
	t.Run("may not write the record", func(t *testing.T) {
		restore := w.deny(t, "RetunePublishFunctionArn", "ssm:PutParameter")
		defer restore()
		e := w.run(t, "retune", `{"maximumFactor":1000}`)
		e.failedWith(t, "AccessDeniedException", "Publish: write the tuning record /machines/tuning")
		w.notified(t, e)
	})
	t.Run("defect 6: the next run makes up for the record", func(t *testing.T) {
		before := w.policies(t)
		e := w.run(t, "retune", `{}`)
		e.endedWith(t, "kept: within the dead band, and recorded", "")
		if !reflect.DeepEqual(before, w.policies(t)) {
			t.Error("the policies changed")
		}
		w.checkRecord(t, e.arn, (0.5*180+20*20+4*2000)/2200, 2200)
	})
	t.Run("each call is throttled twice", func(t *testing.T) {
		w.setTargets(t, retune.Targets{Backlog: 13, Rate: 0.16})
		var mu sync.Mutex
		calls := map[string]int{}
		for functionKey, service := range map[string]string{
			"RetuneTurnFunctionArn": "SFN", "RetuneMeasureFunctionArn": "APPLICATION_AUTO_SCALING",
			"RetuneApplyFunctionArn": "APPLICATION_AUTO_SCALING", "RetunePublishFunctionArn": "SSM",
		} {
			restore := w.intercept(t, functionKey, service, func(action string) string {
				mu.Lock()
				defer mu.Unlock()
				calls[functionKey+action]++
				if calls[functionKey+action] <= 2 {
					return "ThrottlingException"
				}
				return ""
			})
			defer restore()
		}
		e := w.run(t, "retune", `{"watchMinutes":0}`)
		e.endedWith(t, "applied", "")
	})
}

// testRetuneWatches lets changes be followed by good and bad times.
func testRetuneWatches(t *testing.T, w *world) {
	const input = `{"windowMinutes":0.1,"minimumSamples":10,"watchMinutes":25}` // 7.5 s at the speed of waits
	t.Run("well", func(t *testing.T) {
		e := w.watch(t, input, 1.5, 1, 1, nil)
		e.endedWith(t, "applied", "")
		if got := e.compared(t); !strings.HasPrefix(
			got,
			"kept: the promise was kept for 100 % of the messages before the "+
				"change and 100 % since, which is no fall by more than 5 points",
		) {
			t.Errorf("compared: %s", got)
		}
	})
	t.Run("worse, and taken back", func(t *testing.T) {
		e := w.watch(t, input, 1.5, 1, 0.5, nil)
		e.endedWith(
			t,
			"taken back",
			"worse: the promise was kept for 100 % of the messages before the change and 50 % since",
		)
		w.checkTargets(t, slow)
		w.noticed(t, e.arn, "Targets again: 13 messages per task", "50 %")
		if run := w.lastRun(t); run.Outcome != "taken back" || run.After.Backlog != slow.Backlog {
			t.Errorf("the line of the run says %+v", run)
		}
		w.measured(t, 1.5, 50)
		w.run(t, "retune", `{"windowMinutes":0.1,"minimumSamples":10}`).endedWith(t, "kept: tried and taken back", "")
	})
	t.Run("superseded by a newer run", func(t *testing.T) {
		e := w.watch(t, input, 1.5, 1, 0.5, func() {
			w.run(t, "retune", `{"backlogTarget":20}`).endedWith(t, "applied", "")
		})
		e.endedWith(t, "applied", "")
		if got := e.compared(t); !strings.Contains(got, "the newer execution ") {
			t.Errorf("compared: %s", got)
		}
	})
	t.Run("somebody else sets a target at the last moment", func(t *testing.T) {
		reads := 0
		restore := w.intercept(t, "RetuneApplyFunctionArn", "APPLICATION_AUTO_SCALING", func(action string) string {
			// Apply reads once before it writes and once after each of its two writes.
			if action == "DescribeScalingPolicies" {
				if reads++; reads == 4 {
					w.setTargets(t, retune.Targets{Backlog: 33, Rate: 0.5})
				}
			}
			return ""
		})
		defer restore()
		e := w.watch(t, input, 1.5, 1, 0.5, nil)
		e.endedWith(t, "applied", "")
		w.checkTargets(t, retune.Targets{Backlog: 33, Rate: 0.5})
	})
	for name, test := range map[string]struct {
		spoil        func(t *testing.T) (restore func())
		error, cause string
	}{
		"cannot compare": {func(t *testing.T) func() {
			return w.misconfigure(t, "RetuneCompareFunctionArn", "QUEUE_NAME", "")
		}, "InvalidConfiguration", "Compare With Before: "},
		"cannot restore": {func(t *testing.T) func() {
			return w.deny(t, "RetuneApplyFunctionArn", "application-autoscaling:PutScalingPolicy")
		}, "AccessDeniedException", "Restore Targets: write the scaling policy machines-backlog"},
		"cannot record that": {func(t *testing.T) func() {
			return w.deny(t, "RetunePublishFunctionArn", "cloudwatch:PutMetricData")
		}, "AccessDenied", "Publish Restore: publish the metrics of the queue "},
	} {
		t.Run(name, func(t *testing.T) {
			restore := func() {}
			defer func() { restore() }()
			e := w.watch(t, input, 1.5, 1, 0.5, func() { restore = test.spoil(t) })
			e.failedWith(t, test.error, test.cause)
			w.notified(t, e)
		})
	}
}

// testRetuneOnDrift lets the duration leave what the targets are made for.
func testRetuneOnDrift(t *testing.T, w *world) {
	w.reset(t)
	w.run(t, "retune", `{"backlogTarget":14,"rateTarget":0.17}`).endedWith(t, "applied", "")
	w.run(t, "retune", `{"release":true,"minimumSamples":1000000}`)
	w.alarmed(t, "OK")
	before := len(w.executions(t))
	drift := func() { // eight periods in a row, each with data
		for range 20 {
			w.measured(t, 100, 40)
			time.Sleep(400 * time.Millisecond)
		}
	}
	t.Run("an alarm, an event, a retune", func(t *testing.T) {
		drift()
		var e ended
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
			if started := w.executions(t); len(started) > before {
				e = w.finish(t, "retune", started[len(started)-1])
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("drift starts no retune")
			}
		}
		if e.output["reason"] != "drift" || e.status != sfntypes.ExecutionStatusSucceeded {
			t.Errorf("%s: %v %s", e.status, e.output, e.cause)
		}
	})
	t.Run("still outside: another is scheduled", func(t *testing.T) {
		w.setTargets(t, retune.Targets{Backlog: 200, Rate: 2})
		drift()
		e := w.run(t, "retune", `{"watchMinutes":0}`)
		e.endedWith(t, "applied", "")
		if !slices.Contains(e.path, "Schedule Another") {
			t.Errorf("the way was %q", e.path)
		}
		found, err := scheduler.NewFromConfig(w.config).GetSchedule(t.Context(), &scheduler.GetScheduleInput{
			Name: aws.String(stackName + "-retune-again"),
		})
		if err != nil || *found.Target.Input != `{"reason":"drift","onBusy":"skip"}` {
			t.Errorf("%+v, %v", found, err)
		}
		e = w.run(t, "retune", `{"watchMinutes":0}`)
		again, _ := e.output["comesAgain"].(map[string]any)
		if summary, _ := again["summary"].(string); !strings.Contains(summary, "is scheduled already") {
			t.Errorf("%v", again)
		}
	})
	t.Run("it cannot be scheduled", func(t *testing.T) {
		w.setTargets(t, retune.Targets{Backlog: 200, Rate: 2})
		drift()
		restore := w.misconfigure(t, "RetuneAgainFunctionArn", "RETUNE_PAUSE_SECONDS", "0")
		defer restore()
		e := w.run(t, "retune", `{"watchMinutes":0}`)
		e.failedWith(t, "InvalidConfiguration", "Schedule Another: ")
		w.notified(t, e)
	})
	t.Run("no storm", func(t *testing.T) {
		w.publish(t, "RetunesOnDrift", 1, 4)
		e := w.run(t, "retune", `{"reason":"drift","onBusy":"skip"}`)
		e.endedWith(t, "skipped", "retunes on drift in 1h0m0s are the most there may be")
	})
}

func testRetuneByHand(t *testing.T, w *world) {
	t.Run("held and released", func(t *testing.T) {
		w.measured(t, 4, 5000)
		e := w.run(t, "retune", `{"backlogTarget":21,"rateTarget":0.3}`)
		e.endedWith(t, "applied", "")
		w.checkTargets(t, retune.Targets{Backlog: 21, Rate: 0.3})
		e = w.run(t, "retune", `{"reason":"schedule"}`)
		e.endedWith(t, "kept: targets are held", "the targets are held until they are released")
		e = w.run(t, "retune", `{"release":true,"watchMinutes":0}`)
		e.endedWith(t, "applied", "from 21 to ")
	})
	t.Run("with the script", func(t *testing.T) {
		script := filepath.Join(t.TempDir(), "retune")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", script, "../scripts/retune")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		say := func(args string, words ...string) {
			run := exec.CommandContext(t.Context(), script, strings.Fields("-stack "+stackName+" "+args)...)
			run.Env = w.cloud.Environ()
			out, err := run.CombinedOutput()
			if err != nil {
				t.Errorf("%s: %v", args, err)
			}
			for _, want := range words {
				if !strings.Contains(string(out), want) {
					t.Errorf("%s does not say %q:\n%s", args, want, out)
				}
			}
			t.Logf("%s\n%s", args, out)
		}
		say("-target backlog=22,rate=0.4 -hold-until 8h -reason tonight", "Take Turn", "Apply Targets", "applied",
			"- the rate target is set by hand to 0.4", "- the targets are held until 2")
		say("-dry-run", "kept: targets are held", "messages measured")
		say("-release -watch 0s", "applied")
		say("-history -last 3", "tonight", "by hand", "applied", "hand", "22", "0.4")
	})
}

// slow are the targets before a change that is watched: for a duration of 5 s.
var slow = retune.Targets{Backlog: 13, Rate: 0.16}

// watch runs a retune that moves the targets from slow to those of a duration, and lets the promise be kept for a share
// of the messages before and another one after. meanwhile is called while the machine watches; it may be nil.
func (w *world) watch(t *testing.T, input string, duration, before, after float64, meanwhile func()) ended {
	t.Helper()
	w.reset(t)
	w.setTargets(t, slow)
	time.Sleep(7 * time.Second) // what was before is out of the window
	w.promised(t, duration, before)
	time.Sleep(time.Second)
	w.promised(t, duration, before)
	arn := w.begin(t, "retune", input)
	w.entered(t, arn, "Watch")
	for range 3 {
		time.Sleep(time.Second)
		w.promised(t, duration, after)
	}
	if meanwhile != nil {
		meanwhile()
	}
	return w.finish(t, "retune", arn)
}

// promised publishes a period of messages, of which a share started in time.
func (w *world) promised(t *testing.T, duration, share float64) {
	t.Helper()
	const messages = 50
	w.measured(t, duration, messages)
	w.publish(t, "MsgWithinDelay", 1, messages*share)
	w.publish(t, "MsgWithinDelay", 0, messages*(1-share))
}

// measured publishes durations like a worker does.
func (w *world) measured(t *testing.T, seconds float64, samples float64) {
	t.Helper()
	w.publish(t, "MsgProcessingDuration", seconds, samples)
}

// publish publishes a value as often as count says; 0 is not at all.
func (w *world) publish(t *testing.T, metric string, value, count float64) {
	t.Helper()
	if count == 0 {
		return
	}
	_, err := cloudwatch.NewFromConfig(w.config).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
		Namespace: aws.String("ECS-SQS-BPI"),
		MetricData: []cwtypes.MetricDatum{{
			MetricName: &metric, Dimensions: w.dimensions(t), Timestamp: aws.Time(time.Now()),
			Values: []float64{value}, Counts: []float64{count},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// reset forgets what was recorded.
func (w *world) reset(t *testing.T) {
	t.Helper()
	_, err := ssm.NewFromConfig(w.config).DeleteParameter(t.Context(), &ssm.DeleteParameterInput{
		Name: aws.String("/" + stackName + "/tuning"),
	})
	if err != nil {
		t.Logf("no record to forget: %v", err)
	}
}

// setTargets writes the policies by hand.
func (w *world) setTargets(t *testing.T, targets retune.Targets) {
	t.Helper()
	for i, policy := range w.policies(t) {
		configuration := *policy.TargetTrackingScalingPolicyConfiguration
		configuration.TargetValue = aws.Float64([]float64{targets.Backlog, targets.Rate}[i])
		policy.TargetTrackingScalingPolicyConfiguration = &configuration
		w.put(t, policy)
	}
}

func (w *world) put(t *testing.T, policy aastypes.ScalingPolicy) {
	t.Helper()
	_, err := applicationautoscaling.NewFromConfig(w.config).PutScalingPolicy(t.Context(),
		&applicationautoscaling.PutScalingPolicyInput{
			PolicyName: policy.PolicyName, PolicyType: policy.PolicyType, ResourceId: policy.ResourceId,
			ScalableDimension: policy.ScalableDimension, ServiceNamespace: policy.ServiceNamespace,
			TargetTrackingScalingPolicyConfiguration: policy.TargetTrackingScalingPolicyConfiguration,
		})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) checkTargets(t *testing.T, want retune.Targets) {
	t.Helper()
	policies := w.policies(t)
	got := retune.Targets{
		Backlog: *policies[0].TargetTrackingScalingPolicyConfiguration.TargetValue,
		Rate:    *policies[1].TargetTrackingScalingPolicyConfiguration.TargetValue,
	}
	if got != want {
		t.Errorf("the targets are %v, want %v", got, want)
	}
}

func configurations(policies []aastypes.ScalingPolicy) (all []aastypes.TargetTrackingScalingPolicyConfiguration) {
	for _, policy := range policies {
		all = append(all, *policy.TargetTrackingScalingPolicyConfiguration)
	}
	return all
}

// driftAlarm is the alarm as it is now.
func (w *world) driftAlarm(t *testing.T) cwtypes.MetricAlarm {
	t.Helper()
	got, err := cloudwatch.NewFromConfig(w.config).DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{w.output(t, "DriftAlarmName")},
	})
	if err != nil || len(got.MetricAlarms) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	return got.MetricAlarms[0]
}

func (w *world) driftExpression(t *testing.T) string {
	t.Helper()
	for _, query := range w.driftAlarm(t).Metrics {
		if aws.ToString(query.Id) == "times" {
			return aws.ToString(query.Expression)
		}
	}
	return ""
}

// alarmed waits until the drift alarm is in a state.
func (w *world) alarmed(t *testing.T, state cwtypes.StateValue) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for ; w.driftAlarm(t).StateValue != state; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the drift alarm is %s: %s", w.driftAlarm(t).StateValue, aws.ToString(w.driftAlarm(t).StateReason))
		}
	}
}

// lastRun is the newest line in the log of the runs.
func (w *world) lastRun(t *testing.T) retune.Run {
	t.Helper()
	runs, err := retune.ReadRuns(
		t.Context(),
		cloudwatchlogs.NewFromConfig(w.config),
		w.output(t, "RetuneRunLogGroup"),
		1,
	)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	return runs[0]
}

// executions are the retunes so far, the oldest first.
func (w *world) executions(t *testing.T) (arns []string) {
	t.Helper()
	listed, err := sfn.NewFromConfig(w.config).ListExecutions(t.Context(), &sfn.ListExecutionsInput{
		StateMachineArn: aws.String(w.machineArn(t, "retune")),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(listed.Executions) {
		arns = append(arns, *e.ExecutionArn)
	}
	return arns
}

// entered waits until an execution has entered a state.
func (w *world) entered(t *testing.T, arn, name string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		history, err := sfn.NewFromConfig(w.config).GetExecutionHistory(t.Context(), &sfn.GetExecutionHistoryInput{
			ExecutionArn: &arn, MaxResults: 1000,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range history.Events {
			if entered := event.StateEnteredEventDetails; entered != nil && *entered.Name == name {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come to %q", arn, name)
		}
	}
}

// noticed takes one notification about the execution, which is no failure, and looks for words in it.
func (w *world) noticed(t *testing.T, arn string, words ...string) {
	t.Helper()
	queues := sqs.NewFromConfig(w.config)
	got, err := queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: &w.mailbox, MaxNumberOfMessages: 10, WaitTimeSeconds: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range got.Messages {
		if _, err := queues.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{
			QueueUrl: &w.mailbox, ReceiptHandle: message.ReceiptHandle,
		}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(*message.Body, arn) {
			continue
		}
		for _, want := range words {
			if !strings.Contains(*message.Body, want) {
				t.Errorf("the notification does not say %q: %s", want, *message.Body)
			}
		}
		return
	}
	t.Errorf("no notification about %s", arn)
}

// endedWith checks how an execution ended well.
func (e ended) endedWith(t *testing.T, outcome, words string) {
	t.Helper()
	summary, _ := e.output["summary"].(string)
	if e.status != sfntypes.ExecutionStatusSucceeded || e.output["outcome"] != outcome ||
		!strings.Contains(summary, words) {
		t.Fatalf(
			"%s %q: %s %s %s; want %q: %s\nthe way was %q",
			e.status,
			e.output["outcome"],
			summary,
			e.error,
			e.cause,
			outcome,
			words,
			e.path,
		)
	}
}

// compared is what the comparison came to.
func (e ended) compared(t *testing.T) string {
	t.Helper()
	compared, _ := e.output["compared"].(map[string]any)
	summary, _ := compared["summary"].(string)
	return summary
}
