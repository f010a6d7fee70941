package main

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"sqs-dynamic-target-tracking/internal/localcloud/autoscaling"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/sqswatch"
	"sqs-dynamic-target-tracking/internal/terminal"
	"sqs-dynamic-target-tracking/internal/tracking"
)

var update = flag.Bool("update", false, "write the golden files anew")

var began = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// given is a scene in which everything is there to see.
func given() scene {
	alarm := func(state tracking.AlarmState, breaching, needed int) tracking.AlarmStatus {
		return tracking.AlarmStatus{State: state, Breaching: breaching, Needed: needed}
	}
	return scene{
		chapter: "1 of 4: the beginning", at: 7*time.Minute + 3*time.Second, began: began, speed: 20,
		queue: counts{visible: 118, inFlight: 3}, limits: tracking.Bounds{Min: 1, Max: 10},
		account: sqswatch.Account{Sent: 150, Processed: 29, Waits: []time.Duration{
			time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second,
		}},
		tasks: ministack.ServiceState{Desired: 10, Running: 1, Pending: 9},
		scaling: autoscaling.View{
			Bounds: tracking.Bounds{Min: 1, Max: 10},
			Policies: []autoscaling.PolicyView{
				{Name: "stack-backlog", Target: 13, Value: 121, High: alarm(tracking.StateAlarm, 3, 3),
					Low: alarm(tracking.StateOK, 0, 15)},
				{Name: "stack-rate", Target: 9.6, Value: math.NaN(),
					High: alarm(tracking.StateInsufficientData, 0, 3),
					Low:  alarm(tracking.StateInsufficientData, 0, 15)},
			},
			Activities: []tracking.Activity{
				{Start: began.Add(21 * time.Second), Description: "Setting desired count to 10.",
					Cause: "monitor alarm TargetTracking-service/cluster/stack-service-AlarmHigh-" +
						"0b6a3a1e-5b6f-4a53-9f3e-0d9f0f3e1c2b in state ALARM triggered policy stack-backlog"},
				{Start: began.Add(9 * time.Second), Cause: "monitor alarm low triggered policy stack-rate",
					NotScaled: []tracking.NotScaledReason{{Code: tracking.AtMinCapacity}}},
			},
		},
	}
}

func TestSceneIsWhatPeopleSee(t *testing.T) {
	scene := given()
	got := strings.Join(scene.lines(terminal.NewLog(nil)), "\n") + "\n\n" + scene.line() + "\n"
	golden := filepath.Join("testdata", "scene.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the scene reads\n%s\nwant\n%s", got, want)
	}
}

// TestSceneShowsTheStepFromZero: with MinTasks 0 one sees how far the alarm is that starts the first task.
func TestSceneShowsTheStepFromZero(t *testing.T) {
	scene := given()
	scene.scaling.Steps = []tracking.AlarmStatus{{State: tracking.StateOK, Breaching: 1, Needed: 2}}
	const want = "\n  from zero  a first task while messages wait and none runs   out  1 of 2  ok\n"
	if got := strings.Join(scene.lines(terminal.NewLog(nil)), "\n"); !strings.Contains(got, want) {
		t.Errorf("the scene reads\n%s\nwithout %q", got, want)
	}
}

// TestSceneShowsTheBand: the range that the band leaves to the policies is shaded.
func TestSceneShowsTheBand(t *testing.T) {
	scene := given()
	scene.tasks.Running, scene.scaling.Bounds = 3, tracking.Bounds{Min: 5, Max: 8}
	const want = "  tasks    ██████░░░▒▒▒▒▒▒▒░░░░ 3 running, 10 wanted, 9 starting   (5 to 8)\n"
	if got := strings.Join(scene.lines(terminal.NewLog(nil)), "\n"); !strings.Contains(got, want) {
		t.Errorf("the scene reads\n%s\nwithout %q", got, want)
	}
}

// TestSceneShowsARelease: what is being done, and which tasks run of which version.
func TestSceneShowsARelease(t *testing.T) {
	scene := given()
	scene.release = "slow: Check Outcome          watching, 41 messages processed"
	type state = ecstypes.DeploymentRolloutState
	deployment := func(definition, status string, at state, running, desired int32) ecstypes.Deployment {
		return ecstypes.Deployment{
			TaskDefinition: aws.String("arn:aws:ecs:us-east-1:000000000000:task-definition/" + definition),
			Status:         &status, RolloutState: at,
			RunningCount: running, DesiredCount: desired, PendingCount: desired - running,
		}
	}
	scene.deployments = []ecstypes.Deployment{
		deployment("stack-worker:5", "PRIMARY", ecstypes.DeploymentRolloutStateInProgress, 2, 5),
		deployment("stack-worker:2", "ACTIVE", ecstypes.DeploymentRolloutStateCompleted, 5, 5),
	}
	want := strings.Join([]string{
		"  release  slow: Check Outcome          watching, 41 messages processed",
		"  version  ████░░░░░░░░░░░░░░░░ stack-worker:5  2 running, 5 wanted, 3 starting   in progress",
		"  version  ██████████░░░░░░░░░░ stack-worker:2  5 running, 5 wanted, 0 starting   going",
		"",
	}, "\n")
	if got := strings.Join(scene.lines(terminal.NewLog(nil)), "\n"); !strings.Contains(got, want) {
		t.Errorf("the scene reads\n%s\nwithout\n%s", got, want)
	}
}

// TestPlotOfTasks: one task is not drawn on the row of none.
func TestPlotOfTasks(t *testing.T) {
	film := []moment{
		{at: 0}, {at: time.Minute, desired: 1, running: 1}, {at: 2 * time.Minute, desired: 3, running: 3},
		{at: 3 * time.Minute, desired: 3, running: 3},
	}
	got := strings.Split(plotTasks(terminal.NewLog(nil), film), "\n")
	want := []string{`^3 ┤ +⡤`, `^2? ┤ +⡇`, `^ +┤ +⡤⠤+⠇$`, `^0 ┤⠤+⠇$`}
	for row, pattern := range want {
		if !regexp.MustCompile(pattern).MatchString(got[row]) {
			t.Errorf("row %d is %q, want %s", row, got[row], pattern)
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "00:00", 63 * time.Second: "01:03", 75 * time.Minute: "75:00", -time.Second: "-00:01",
	} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) is %q, want %q", d, got, want)
		}
	}
}

func TestParametersAreScaled(t *testing.T) {
	for _, speed := range speeds {
		o := options{speed: speed, minTasks: 1, maxTasks: 10}
		parameters := o.parameters()
		for name, want := range map[string]time.Duration{
			"MetricPeriodSeconds": period, "ScaleOutCooldownSeconds": cooldown,
			"AcceptableDelaySeconds": acceptableDelay,
		} {
			seconds, err := time.ParseDuration(parameters[name] + "s")
			if err != nil {
				t.Fatal(err)
			}
			if difference := (o.story(seconds) - want).Abs(); difference > 100*time.Microsecond {
				t.Errorf("at speed %g, %s is %s s, which is %v of the story, want %v",
					speed, name, parameters[name], o.story(seconds), want)
			}
		}
	}
}
