//go:build local

package statemachines

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	aastypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"sqs-dynamic-target-tracking/internal/band"
	"sqs-dynamic-target-tracking/internal/band/steps"
	"sqs-dynamic-target-tracking/internal/localcloud"
	"sqs-dynamic-target-tracking/internal/stack"
)

// bandSpeed is how many times as fast the band's world runs.
const bandSpeed = 20

// bandWorld is a stack in a world that runs faster, with the dead man's floor earlier than an hour.
type bandWorld struct {
	*world
	parameters map[string]string
	reached    *coverage
}

func startBand(t *testing.T) *bandWorld {
	t.Helper()
	cloud, err := localcloud.Start(t.Context(), localcloud.Config{
		Root: "..", Speed: bandSpeed, Progress: func(line string) { t.Log(line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &bandWorld{
		world: &world{cloud: cloud, config: cloud.AWSConfig(), covered: map[string]*coverage{}},
		parameters: map[string]string{
			"MinTasks": "0", "MaxTasks": "12", "RetuneState": "DISABLED", "BandState": "DISABLED",
			"AcceptableDelaySeconds": "3", "InitialProcessingSeconds": "0.25", "MetricPeriodSeconds": "3",
			"ScaleOutCooldownSeconds": "15", "ScaleInCooldownSeconds": "15",
			"BandLookSeconds": "1", "BandCeilingSeconds": "15", "BandFloorSeconds": "25",
		},
		reached: newCoverage(),
	}
	w.deploy(t, nil)
	return w
}

// deploy makes or changes the stack.
func (w *bandWorld) deploy(t *testing.T, change map[string]string) {
	t.Helper()
	maps.Copy(w.parameters, change)
	var out strings.Builder
	if err := w.cloud.Deploy(t.Context(), stackName, w.parameters, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	var err error
	w.outputs, err = stack.Describe(t.Context(), cloudformation.NewFromConfig(w.config), stackName)
	if err != nil {
		t.Fatal(err)
	}
}

func (w *bandWorld) look(t *testing.T) ended {
	t.Helper()
	return w.execute(t, "band", w.output(t, "BandStateMachineArn"), `{}`, w.reached)
}

// TestLocalBand: every way through the machine, with faults that have real causes; then the band at work: it follows a
// burst, puts bounds changed by hand back, gives them back when its looks stop, and when it is switched off.
func TestLocalBand(t *testing.T) {
	w := startBand(t)
	t.Run("off", func(t *testing.T) { testBandOff(t, w) })
	t.Run("ways", func(t *testing.T) { testBandWays(t, w) })
	d, _ := load(t, "band")
	for name := range d.States {
		if !w.reached.states[name] {
			t.Errorf("no execution reached %q", name)
		}
	}
	t.Run("at work", func(t *testing.T) { testBandAtWork(t, w) })
	t.Run("deleted", func(t *testing.T) { testBandDeleted(t, w) })
}

func testBandOff(t *testing.T, w *bandWorld) {
	if s := w.state(t); s.Owner != steps.OfTemplate {
		t.Errorf("the bounds are of %q after the deployment", s.Owner)
	}
	e := w.look(t)
	if e.output["outcome"] != "BandSwitchedOff" ||
		!slices.Equal(e.path, []string{"Begin Run", "Look at Queue", "Failed Before?", "Leave Bounds Alone"}) {
		t.Errorf("%v by %v", e.output, e.path)
	}
	w.inForce(t, band.Bounds{Floor: 0, Ceiling: 12})
}

func testBandWays(t *testing.T, w *bandWorld) {
	mine := func(change func(*steps.State)) {
		s := steps.State{Owner: steps.OfBand}
		if change != nil {
			change(&s)
		}
		w.write(t, s)
	}
	t.Run("another run at work", func(t *testing.T) {
		mine(func(s *steps.State) { s.Run, s.Until = "another", time.Now().Add(time.Minute) })
		if e := w.look(t); e.output["outcome"] != "AnotherRunAtWork" || len(w.actions(t)) > 0 {
			t.Errorf("%v by %v", e.output, e.path)
		}
	})
	t.Run("nothing to do", func(t *testing.T) {
		mine(nil)
		e := w.look(t)
		w.looked(t, e, 3)
		if s := w.state(t); s.Run != "" || s.Memory.LookedAt.IsZero() || len(s.Memory.Counts) == 0 {
			t.Errorf("remembered: %+v", s)
		}
		if got := w.actions(t); !slices.Equal(got, []string{steps.CeilingAction, steps.FloorAction}) {
			t.Errorf("armed: %v", got)
		}
		if n := count(e.path, "Arm Dead Man"); n != 1 {
			t.Errorf("armed %d times in a run", n)
		}
		w.inForce(t, band.Bounds{Floor: 0, Ceiling: 1})
	})
	t.Run("a sudden zero", func(t *testing.T) {
		mine(func(s *steps.State) {
			at := time.Now().Add(-time.Second)
			s.Memory = band.Memory{LookedAt: at, At: at, Ceiling: 5, Counts: []band.Count{{At: at, Visible: 500}}}
		})
		e := w.look(t)
		w.looked(t, e, 3)
		if first, _ := e.output["looks"].([]any)[0].(string); !strings.Contains(first, "not believed") ||
			!strings.Contains(first, "which the tasks cannot have worked off") {
			t.Errorf("the first look: %s", first)
		}
	})
	t.Run("no look believed", func(t *testing.T) {
		w.sendAndPurge(t)
		before := w.bounds(t)
		var e ended
		w.eventually(t, "the metrics show what was sent", func() bool {
			w.register(t, before)
			mine(func(s *steps.State) {
				s.Memory = band.Memory{LookedAt: time.Now(), ZeroSince: time.Now().Add(-time.Hour)}
				s.ProcessingSeconds = 1000
			})
			e = w.look(t)
			return e.status == sfntypes.ExecutionStatusFailed
		})
		w.failed(t, e, "no look was believed: ", "the counts have read zero for two minutes in which messages were")
		w.inForce(t, before)
		if n := count(e.path, "Arm Dead Man") + count(e.path, "Move Bounds"); n != 0 {
			t.Errorf("wrote %d times: %v", n, e.path)
		}
	})
	for _, fault := range []struct {
		name   string
		breaks func() (restore func())
		cause  string
	}{
		{"may not look", func() func() { return w.deny(t, "BandLookFunctionArn", "ecs:DescribeServices") },
			"Look at Queue: AccessDenied"},
		{"may not claim", func() func() { return w.deny(t, "BandLookFunctionArn", "ssm:PutParameter") },
			"Look at Queue: AccessDenied"},
		{"cannot begin", func() func() {
			return w.misconfigure(t, "BandLookFunctionArn", "BAND_LOOK_SECONDS", "often")
		}, "Look at Queue: InvalidConfiguration: the function's environment is not usable: BAND_LOOK_SECONDS"},
		{"cannot decide", func() func() { return w.misconfigure(t, "BandDecideFunctionArn", "MAX_TASKS", "many") },
			`Decide Bounds: InvalidConfiguration: the function's environment is not usable: MAX_TASKS is "many"`},
		{"may not arm", func() func() {
			return w.deny(t, "BandArmFunctionArn", "application-autoscaling:PutScheduledAction")
		}, "Arm Dead Man: AccessDenied"},
		{"may not move", func() func() {
			return w.deny(t, "BandMoveFunctionArn", "application-autoscaling:RegisterScalableTarget")
		}, "Move Bounds: AccessDenied"},
		{"may not remember", func() func() { return w.deny(t, "BandRememberFunctionArn", "ssm:PutParameter") },
			"Remember: AccessDenied"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			mine(nil)
			w.disarm(t)
			w.register(t, band.Bounds{Floor: 0, Ceiling: 7})
			restore := fault.breaks()
			defer restore()
			e := w.look(t)
			w.failed(t, e, fault.cause)
			if fault.name != "may not remember" { // what comes before that moves
				w.inForce(t, band.Bounds{Floor: 0, Ceiling: 7})
			}
			if n := count(e.path, "Look at Queue"); n != 3 {
				t.Errorf("%d looks in a run, one of which failed", n)
			}
		})
	}
	for _, step := range []struct{ name, function string }{
		{"Arm Dead Man", "BandArmFunctionArn"}, {"Move Bounds", "BandMoveFunctionArn"},
		{"Remember", "BandRememberFunctionArn"},
	} {
		t.Run("taken away before "+step.name, func(t *testing.T) {
			mine(nil)
			w.disarm(t)
			w.register(t, band.Bounds{Floor: 0, Ceiling: 7})
			restore := w.takenFrom(t, step.function)
			defer restore()
			e := w.look(t)
			if n := len(e.path); e.output["outcome"] != "BandSwitchedOff" || n < 3 || e.path[n-3] != step.name {
				t.Errorf("%v by %v", e.output, e.path)
			}
		})
	}
	t.Run("taken away in the middle", func(t *testing.T) {
		mine(nil)
		execution := w.launchBand(t)
		w.eventually(t, "the run claims the bounds", func() bool { return w.state(t).Run != "" })
		w.write(t, steps.State{Owner: steps.OfTemplate})
		w.register(t, band.Bounds{Floor: 0, Ceiling: 12})
		e := w.followBand(t, execution)
		if e.output["outcome"] != "BandSwitchedOff" {
			t.Errorf("%v by %v", e.output, e.path)
		}
		if s := w.state(t); s.Owner != steps.OfTemplate {
			t.Errorf("it took the bounds back: %+v", s)
		}
	})
}

func testBandAtWork(t *testing.T, w *bandWorld) {
	w.deploy(t, map[string]string{"BandState": "ENABLED"})
	if s := w.state(t); s.Owner != steps.OfBand {
		t.Fatalf("the bounds are of %q", s.Owner)
	}
	w.eventually(t, "a quiet queue sinks the ceiling", func() bool { return w.bounds(t).Ceiling <= 2 })

	t.Run("bounds changed by hand", func(t *testing.T) {
		w.register(t, band.Bounds{Floor: 3, Ceiling: 11})
		w.eventually(t, "the next look puts them back", func() bool { return w.bounds(t).Ceiling <= 4 })
	})
	t.Run("a burst", func(t *testing.T) {
		w.load(t, 150, 1)
		w.eventually(t, "the floor follows the queue", func() bool { return w.bounds(t).Floor >= 8 })
		w.eventually(t, "the service has the tasks", func() bool { return w.desired(t) >= 8 })
		w.eventually(t, "an activity says why", func() bool {
			return slices.ContainsFunc(w.activities(t), func(cause string) bool {
				return strings.HasPrefix(cause, "minimum capacity was set to ")
			})
		})
		w.eventually(t, "the log has a line of the look", func() bool {
			return strings.Contains(w.logged(t), "floor 12, ceiling 12") && strings.Contains(w.logged(t), ": backlog")
		})
		w.eventually(t, "the tasks leave", func() bool { return w.bounds(t).Ceiling <= 2 && w.desired(t) <= 2 })
	})
	t.Run("a change of the limits", func(t *testing.T) {
		w.deploy(t, map[string]string{"MaxTasks": "9"})
		w.eventually(t, "the looks go on within them", func() bool { return w.bounds(t).Ceiling <= 2 })
		w.load(t, 150, 1)
		both := band.Bounds{Floor: 9, Ceiling: 9}
		w.eventually(t, "the ceiling is the new one", func() bool { return w.bounds(t) == both })
		w.eventually(t, "the burst is over", func() bool { return w.bounds(t).Ceiling <= 2 })
	})
	t.Run("the looks stop as a burst begins", func(t *testing.T) {
		w.stopLooks(t)
		w.load(t, 400, 1)
		stopped := time.Now()
		w.eventually(t, "the ceiling is given back", func() bool { return w.bounds(t).Ceiling == 9 })
		if after := time.Since(stopped); after > 25*time.Second {
			t.Errorf("it took %v", after)
		}
		w.eventually(t, "target tracking adds tasks", func() bool { return w.desired(t) >= 4 })
		w.eventually(t, "both scheduled actions were carried out", func() bool { return len(w.actions(t)) == 0 })
		w.inForce(t, band.Bounds{Floor: 0, Ceiling: 9})
	})
	t.Run("switched off", func(t *testing.T) {
		w.startLooks(t)
		w.eventually(t, "the looks go on", func() bool { return len(w.actions(t)) == 2 })
		w.deploy(t, map[string]string{"BandState": "DISABLED", "MaxTasks": "10"}) // both at once: the new limits count
		w.inForce(t, band.Bounds{Floor: 0, Ceiling: 10})
		if left := w.actions(t); len(left) > 0 {
			t.Errorf("still scheduled: %v", left)
		}
		if s := w.state(t); s.Owner != steps.OfTemplate {
			t.Errorf("the bounds are of %q", s.Owner)
		}
	})
}

// testBandDeleted: nothing of it outlives the stack, though a run is at work.
func testBandDeleted(t *testing.T, w *bandWorld) {
	w.write(t, steps.State{Owner: steps.OfBand})
	w.launchBand(t)
	w.eventually(t, "a run is at work", func() bool { return w.state(t).Run != "" && len(w.actions(t)) == 2 })
	var out strings.Builder
	if err := w.cloud.Delete(t.Context(), stackName, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	in := &ssm.GetParameterInput{Name: aws.String(bandParameter)}
	if _, err := ssm.NewFromConfig(w.config).GetParameter(t.Context(), in); err == nil {
		t.Error("the parameter is still there")
	}
}

const bandParameter = "/" + stackName + "/band"

func (w *bandWorld) launchBand(t *testing.T) string {
	t.Helper()
	return w.launch(t, w.output(t, "BandStateMachineArn"), `{}`)
}

func (w *bandWorld) followBand(t *testing.T, execution string) ended {
	t.Helper()
	return w.follow(t, "band", execution, w.reached)
}

// looked checks a run that ended well.
func (w *bandWorld) looked(t *testing.T, e ended, lines int) {
	t.Helper()
	said, _ := e.output["looks"].([]any)
	if e.status != sfntypes.ExecutionStatusSucceeded || e.output["outcome"] != "looked" || len(said) != lines {
		t.Errorf("%s: %v %s %s", e.status, e.output, e.error, e.cause)
	}
}

func (w *bandWorld) failed(t *testing.T, e ended, causes ...string) {
	t.Helper()
	e.failedWith(t, "LooksFailed", causes...)
}

func count(path []string, name string) int {
	n := 0
	for _, state := range path {
		if state == name {
			n++
		}
	}
	return n
}

func (w *bandWorld) eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(90 * time.Second); !happened(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never happened that %s: bounds %+v, %d tasks wanted, state %+v, scheduled %v", what,
				w.bounds(t), w.desired(t), w.state(t), w.actions(t))
		}
	}
}

func (w *bandWorld) state(t *testing.T) steps.State {
	t.Helper()
	in := &ssm.GetParameterInput{Name: aws.String(bandParameter)}
	got, err := ssm.NewFromConfig(w.config).GetParameter(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var s steps.State
	if err := json.Unmarshal([]byte(*got.Parameter.Value), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (w *bandWorld) write(t *testing.T, s steps.State) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ssm.NewFromConfig(w.config).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String(bandParameter), Value: aws.String(string(text)), Overwrite: aws.Bool(true),
		Type: ssmtypes.ParameterTypeString,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// takenFrom lets one function find that the bounds are not the band's, as if they had been taken since the look: it
// reads another parameter, until the returned func is called.
func (w *bandWorld) takenFrom(t *testing.T, functionKey string) (restore func()) {
	t.Helper()
	const other = bandParameter + "-of-the-template"
	_, err := ssm.NewFromConfig(w.config).PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: aws.String(other), Value: aws.String(`{"owner":"template"}`), Overwrite: aws.Bool(true),
		Type: ssmtypes.ParameterTypeString,
	})
	if err != nil {
		t.Fatal(err)
	}
	function, err := lambda.NewFromConfig(w.config).GetFunction(t.Context(), &lambda.GetFunctionInput{
		FunctionName: aws.String(w.output(t, functionKey)),
	})
	if err != nil {
		t.Fatal(err)
	}
	role := (*function.Configuration.Role)[strings.LastIndex(*function.Configuration.Role, "/")+1:]
	_, err = iam.NewFromConfig(w.config).PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
		RoleName: &role, PolicyName: aws.String("other"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ssm:GetParameter","Resource":"*"}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return w.misconfigure(t, functionKey, "BAND_PARAMETER_NAME", other)
}

func (w *bandWorld) scaling() *applicationautoscaling.Client {
	return applicationautoscaling.NewFromConfig(w.config)
}

func (w *bandWorld) resource(t *testing.T) *string {
	t.Helper()
	return aws.String("service/" + w.output(t, "ClusterName") + "/" + w.output(t, "ServiceName"))
}

func (w *bandWorld) bounds(t *testing.T) band.Bounds {
	t.Helper()
	got, err := w.scaling().DescribeScalableTargets(t.Context(), &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: aastypes.ServiceNamespaceEcs, ResourceIds: []string{*w.resource(t)},
	})
	if err != nil || len(got.ScalableTargets) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	return band.Bounds{
		Floor: int(*got.ScalableTargets[0].MinCapacity), Ceiling: int(*got.ScalableTargets[0].MaxCapacity),
	}
}

func (w *bandWorld) inForce(t *testing.T, want band.Bounds) {
	t.Helper()
	if got := w.bounds(t); got != want {
		t.Errorf("bounds %+v in force, want %+v", got, want)
	}
}

// register changes the bounds by hand.
func (w *bandWorld) register(t *testing.T, b band.Bounds) {
	t.Helper()
	_, err := w.scaling().RegisterScalableTarget(t.Context(), &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: aastypes.ServiceNamespaceEcs, ResourceId: w.resource(t),
		ScalableDimension: aastypes.ScalableDimensionECSServiceDesiredCount,
		MinCapacity:       aws.Int32(int32(b.Floor)), MaxCapacity: aws.Int32(int32(b.Ceiling)),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// actions are the names of the scheduled actions, in order.
func (w *bandWorld) actions(t *testing.T) []string {
	t.Helper()
	got, err := w.scaling().DescribeScheduledActions(t.Context(), &applicationautoscaling.DescribeScheduledActionsInput{
		ServiceNamespace: aastypes.ServiceNamespaceEcs, ResourceId: w.resource(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, action := range got.ScheduledActions {
		names = append(names, *action.ScheduledActionName)
	}
	slices.Sort(names)
	return names
}

// disarm takes back what earlier runs have armed, which would give the bounds back in the middle of another case.
func (w *bandWorld) disarm(t *testing.T) {
	t.Helper()
	for _, name := range w.actions(t) {
		_, err := w.scaling().DeleteScheduledAction(t.Context(), &applicationautoscaling.DeleteScheduledActionInput{
			ServiceNamespace: aastypes.ServiceNamespaceEcs, ResourceId: w.resource(t),
			ScalableDimension:   aastypes.ScalableDimensionECSServiceDesiredCount,
			ScheduledActionName: aws.String(name),
		})
		var gone *aastypes.ObjectNotFoundException // carried out since
		if err != nil && !errors.As(err, &gone) {
			t.Fatal(err)
		}
	}
}

func (w *bandWorld) activities(t *testing.T) (causes []string) {
	t.Helper()
	in := &applicationautoscaling.DescribeScalingActivitiesInput{
		ServiceNamespace: aastypes.ServiceNamespaceEcs, ResourceId: w.resource(t),
	}
	got, err := w.scaling().DescribeScalingActivities(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, activity := range got.ScalingActivities {
		causes = append(causes, aws.ToString(activity.Cause))
	}
	return causes
}

func (w *bandWorld) desired(t *testing.T) int {
	t.Helper()
	services, err := w.cloud.Services(t.Context())
	if err != nil || len(services) != 1 {
		t.Fatalf("%v, %v", services, err)
	}
	return services[0].Desired
}

func (w *bandWorld) logged(t *testing.T) string {
	t.Helper()
	in := &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(w.output(t, "BandLogGroup")), Limit: aws.Int32(10000),
	}
	got, err := cloudwatchlogs.NewFromConfig(w.config).FilterLogEvents(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, event := range got.Events {
		lines.WriteString(aws.ToString(event.Message))
	}
	return lines.String()
}

// load sends messages that a task works on for so many seconds each.
func (w *bandWorld) load(t *testing.T, messages int, seconds float64) {
	t.Helper()
	input, err := json.Marshal(map[string]any{"messages": messages, "durationSeconds": seconds})
	if err != nil {
		t.Fatal(err)
	}
	e := w.run(t, "produce", string(input))
	if e.status != sfntypes.ExecutionStatusSucceeded {
		t.Fatalf("%s: %s", e.status, e.cause)
	}
}

// sendAndPurge sends messages that a metric period will show and no count shows any more.
func (w *bandWorld) sendAndPurge(t *testing.T) {
	t.Helper()
	w.load(t, 50, 1)
	_, err := sqs.NewFromConfig(w.config).PurgeQueue(t.Context(), &sqs.PurgeQueueInput{
		QueueUrl: aws.String(w.output(t, "QueueUrl")),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *bandWorld) schedule(t *testing.T, state schedulertypes.ScheduleState) {
	t.Helper()
	client := scheduler.NewFromConfig(w.config)
	all, err := client.ListSchedules(t.Context(), &scheduler.ListSchedulesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all.Schedules {
		if !strings.Contains(*s.Name, "BandTimer") {
			continue
		}
		is, err := client.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: s.Name})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{
			Name: is.Name, ScheduleExpression: is.ScheduleExpression, FlexibleTimeWindow: is.FlexibleTimeWindow,
			Target: is.Target, State: state,
		})
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("there is no schedule of the band")
}

// stopLooks disables the schedule by hand, and waits for the run at work to end.
func (w *bandWorld) stopLooks(t *testing.T) {
	t.Helper()
	w.schedule(t, schedulertypes.ScheduleStateDisabled)
	time.Sleep(time.Second) // one that was about to start
	w.eventually(t, "the last run ends", func() bool { return w.state(t).Run == "" })
}

func (w *bandWorld) startLooks(t *testing.T) {
	t.Helper()
	w.schedule(t, schedulertypes.ScheduleStateEnabled)
}
