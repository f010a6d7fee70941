package verify

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"sqs-dynamic-target-tracking/internal/stepinput"
)

func prepare(t *testing.T, w *world, input string) Plan {
	t.Helper()
	plan, err := w.preparer().Prepare(t.Context(), PrepareRequest{Input: json.RawMessage(input)})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestPrepareFindsWhatRunsAndWhatWasBefore(t *testing.T) {
	w := newWorld()
	w.depths["dead"] = [2]int{3, 0}
	before := noon.Add(-30 * time.Minute)
	w.series = map[string][]point{
		"processed": {{before, 10}, {before.Add(time.Minute), 30}, {noon, 1000}}, "duration": {{before, 1},
			{before.Add(time.Minute), 5}},
		"waits": {{before, 10}}, "wait": {{before, 100}}, "kept": {{before, 9}}, "promises": {{before, 10}},
	}
	plan := prepare(t, w, `{"reason":"pipeline","change":"4f2c"}`)
	if plan.Expected != (Version{"worker:8", badArn, "registry/worker@" + badDigest, badDigest}) {
		t.Errorf("expected is %+v, want what the service runs", plan.Expected)
	}
	if plan.Before == nil || plan.Before.TaskDefinitionArn != oldArn {
		t.Errorf("before is %+v, want %s", plan.Before, oldArn)
	}
	if plan.Baseline.Processed != 40 || *plan.Baseline.P95Duration != 4 || *plan.Baseline.PromiseKept != 90 {
		t.Errorf("baseline is %+v; want 40 messages, p95 of 4 s weighted, 90 %%: nothing after the rollout began",
			plan.Baseline)
	}
	if plan.DeadLetters != 3 || plan.Change != "4f2c" || !plan.RollBack {
		t.Errorf("plan is %+v", plan)
	}
	// Twice the measured p95 of 100 s, and 90 s for a task to start.
	if plan.Canary != (Canary{Wanted: true, TimeoutSeconds: 290, Attempts: 3}) {
		t.Errorf("canary is %+v, want 290 s", plan.Canary)
	}
	if plan.Summary != "verify worker:8 (pipeline); before it: worker:7" {
		t.Errorf("summary is %q", plan.Summary)
	}
}

func TestPrepareFindsTheAskedVersion(t *testing.T) {
	for name, test := range map[string]struct {
		change func(w *world)
		digest string
		want   string // ARN
		before string
	}{
		"the primary one": {func(*world) {}, badDigest, badArn, oldArn},
		"one that the circuit breaker gave up": {func(w *world) {
			w.deploy(
				deployment("PRIMARY", oldArn, types.DeploymentRolloutStateCompleted, 2, 2),
				deployment("ACTIVE", badArn, types.DeploymentRolloutStateFailed, 0, 0),
			)
		}, badDigest, badArn, oldArn},
		"one that only the history knows": {func(w *world) {
			w.deploy(deployment("PRIMARY", oldArn, types.DeploymentRolloutStateCompleted, 2, 2))
		}, badDigest, badArn, oldArn},
		"one that was never deployed": {func(*world) {}, "sha256:" + strings.Repeat("a", 64), "", ""},
		"the first of all":            {func(w *world) { w.past = w.past[:1] }, badDigest, badArn, ""},
		"after failures in a row": {func(w *world) {
			w.remember(otherArn, types.ServiceDeploymentStatusRollbackSuccessful, noon.Add(-30*time.Minute))
			w.remember(otherArn, types.ServiceDeploymentStatusStopped, noon.Add(-20*time.Minute))
		}, badDigest, badArn, oldArn},
		"deployed twice in a row": {func(w *world) {
			w.remember(badArn, types.ServiceDeploymentStatusSuccessful, noon.Add(-2*time.Minute))
		}, badDigest, badArn, oldArn},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			test.change(w)
			plan := prepare(t, w, `{"imageDigest":"`+test.digest+`"}`)
			if plan.Expected.TaskDefinitionArn != test.want || plan.Expected.ImageDigest != test.digest {
				t.Errorf("expected is %+v, want %q", plan.Expected, test.want)
			}
			before := ""
			if plan.Before != nil {
				before = plan.Before.TaskDefinitionArn
			}
			if before != test.before {
				t.Errorf("before is %q, want %q", before, test.before)
			}
		})
	}
}

// TestPrepareOfAnImageWithATag: the digest is what ECS resolved.
func TestPrepareOfAnImageWithATag(t *testing.T) {
	w := newWorld()
	w.definitions[badArn] = "registry/worker:latest"
	if plan := prepare(t, w, `{}`); plan.Expected.ImageDigest != "sha256:of-the-tag" {
		t.Errorf("expected is %+v, want the digest of the service revision", plan.Expected)
	}
}

func TestPrepareRefusesABadInput(t *testing.T) {
	for input, want := range map[string]string{
		`{"imageDigest":"latest"}`:   `imageDigest is "latest"; allowed: sha256: and 64 hexadecimal digits`,
		`{"soakSeconds":0}`:          "soakSeconds is 0",
		`{"rolloutSeconds":7201}`:    "rolloutSeconds is 7201",
		`{"canary":"yes"}`:           `canary is "yes"; allowed: true or false`,
		`{"rollback":true}`:          "rollback is not a field of the input",
		`[]`:                         "the input is []",
		`{"reason":"","rollBack":1}`: "rollBack is 1",
	} {
		_, err := newWorld().preparer().Prepare(t.Context(), PrepareRequest{Input: json.RawMessage(input)})
		var invalid *stepinput.InvalidInput
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want InvalidInput with %q", input, err, want)
		}
	}
}

func TestPrepareFails(t *testing.T) {
	gone := newWorld()
	gone.service = nil
	_, err := gone.preparer().Prepare(t.Context(), PrepareRequest{Input: json.RawMessage(`{}`)})
	var missing *ServiceMissing
	if !errors.As(err, &missing) {
		t.Errorf("without a service, the error is %v", err)
	}

	half := newWorld()
	half.incomplete = "duration"
	_, err = half.preparer().Prepare(t.Context(), PrepareRequest{Input: json.RawMessage(`{}`)})
	var incomplete *MetricsIncomplete
	if !errors.As(err, &incomplete) {
		t.Errorf("with half an answer of CloudWatch, the error is %v", err)
	}
}

func TestCanaryTime(t *testing.T) {
	second := func(s float64) *float64 { return &s }
	for _, test := range []struct {
		p95          *float64
		delay, start time.Duration
		want         int
	}{
		{nil, time.Minute, 90 * time.Second, 210},
		{second(30), time.Minute, 90 * time.Second, 210},
		{second(600), time.Minute, 90 * time.Second, 1290},
		{second(0.5), time.Second, 1500 * time.Millisecond, 10},
		{second(6.3), time.Second, 1500 * time.Millisecond, 15},
		{second(1e6), time.Minute, time.Minute, 7200},
	} {
		if got := canaryTime(test.p95, test.delay, test.start); got != test.want {
			t.Errorf("canaryTime(%v, %v, %v) is %d, want %d", test.p95, test.delay, test.start, got, test.want)
		}
	}
}

// A version that has run for weeks is no rollout: it is compared with the time before now, not with that before it
// came, and is taken back only by somebody who says so. (The pipeline verifies what runs when its Deploy action failed,
// which may be such a version.)
func TestPrepareOfAVersionThatHasRunForLong(t *testing.T) {
	weeks := noon.Add(-21 * 24 * time.Hour)
	for name, test := range map[string]struct {
		since    time.Time
		input    string
		settled  bool
		rollBack bool
	}{
		"new":                {noon.Add(-30 * time.Minute), `{}`, false, true},
		"after a slow one":   {noon.Add(-2 * time.Hour), `{}`, false, true},
		"old":                {weeks, `{"reason":"the pipeline's Deploy action failed"}`, true, false},
		"old, and insisted":  {weeks, `{"rollBack":true}`, true, true},
		"old, reported only": {weeks, `{"rollBack":false}`, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.service.Deployments[0].CreatedAt = &test.since
			w.past = nil
			w.remember(badArn, types.ServiceDeploymentStatusSuccessful, test.since)
			w.remember(oldArn, types.ServiceDeploymentStatusSuccessful, weeks.Add(-time.Hour))
			lately, then := noon.Add(-10*time.Minute), test.since.Add(-10*time.Minute)
			w.series = map[string][]point{"processed": {{then, 5}, {lately, 40}}}
			plan := prepare(t, w, test.input)
			if plan.Settled != test.settled || plan.RollBack != test.rollBack {
				t.Errorf("settled is %t, roll back %t; want %t, %t", plan.Settled, plan.RollBack, test.settled,
					test.rollBack)
			}
			processed, deployed := 5.0, test.since
			if test.settled {
				processed, deployed = 40, noon
			}
			if plan.Baseline.Processed != processed || !plan.Deployed.Equal(deployed) {
				t.Errorf("compared with %g messages before %s, want %g before %s", plan.Baseline.Processed,
					plan.Deployed, processed, deployed)
			}
			if plan.Before == nil || plan.Before.TaskDefinitionArn != oldArn {
				t.Errorf("before is %+v, want %s", plan.Before, oldArn)
			}
			if said := strings.Contains(plan.Summary, "it has run since 2026-02-08"); said != test.settled {
				t.Errorf("summary is %q", plan.Summary)
			}
		})
	}
}
