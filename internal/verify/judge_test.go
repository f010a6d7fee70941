package verify

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func number(v float64) *float64 { return &v }

// measured is an hour, or another span, of good work.
func measured(change func(*Measured)) Measured {
	m := Measured{
		Seconds: 3600, Processed: 600, Arrived: 600, P95Duration: number(5), P95Wait: number(10),
		PromiseKept: number(99),
	}
	if change != nil {
		change(&m)
	}
	return m
}

func TestJudge(t *testing.T) {
	answered := CanaryResult{Status: CanaryAnswered, New: true}
	for name, test := range map[string]struct {
		change func(e *Evidence)
		want   Verdict
		says   string // somewhere in the problems and notes
	}{
		"good, but early": {func(e *Evidence) { e.Over = false }, Watching, ""},
		"good":            {func(*Evidence) {}, Healthy, ""},

		"crashed": {func(e *Evidence) {
			e.Over, e.Stopped.Crashed = false, []string{"t1: exit code 2", "t2", "t3", "t4"}
		}, Unhealthy, "4 tasks of the new version ended by themselves: t1: exit code 2; t2; t3; and 1 more"},
		"one could not start": {func(e *Evidence) {
			e.Stopped.NotBegun = []string{"capacity"}
		}, Healthy, "1 tasks could not start at first: capacity"},
		"none could start": {func(e *Evidence) {
			e.Stopped.NotBegun = []string{"a", "b", "c"}
		}, Unhealthy, "3 tasks of the new version could not start"},

		"a message that killed": {func(e *Evidence) { e.DeadLetters = 1 }, Unhealthy, "1 messages were set aside"},
		"a metric says so first": {func(e *Evidence) {
			e.After.SetAside = 2
		}, Unhealthy, "2 messages were set aside"},
		"messages that always kill": {func(e *Evidence) {
			e.Plan.Baseline.SetAside, e.DeadLetters = 60, 60
		}, Healthy, "no larger a share than before"},
		"three times as many kill": {func(e *Evidence) {
			e.Plan.Baseline.SetAside, e.DeadLetters = 20, 60
		}, Unhealthy, "60 messages were set aside as impossible: 9.09 % of all, 3.23 % before"},

		"a few attempts failed": {func(e *Evidence) { e.After.Failed = 2 }, Healthy, ""},
		"many failed": {func(e *Evidence) {
			e.After.Failed = 100
		}, Unhealthy, "100 attempts failed: 14.3 % of all, 0 % before"},
		"as many as before": {func(e *Evidence) { e.After.Failed, e.Plan.Baseline.Failed = 100, 90 }, Healthy, ""},
		"none succeeds": {func(e *Evidence) {
			e.After.Failed, e.After.Processed = 3, 0
		}, Unhealthy, "3 attempts failed: 100 %"},

		"twice as slow": {func(e *Evidence) { e.After.P95Duration = number(10) }, Healthy, ""},
		"slower": {func(e *Evidence) {
			e.After.P95Duration = number(10.1)
		}, Unhealthy, "p95 is 10.1 s, 5 s before"},
		"slower, but three messages": {func(e *Evidence) {
			e.After.P95Duration, e.After.Processed = number(100), 3
		}, Healthy, "too few messages"},
		"nothing to compare with": {func(e *Evidence) {
			e.Plan.Baseline = Measured{Seconds: 3600}
		}, Healthy, ""},

		"the promise is broken": {func(e *Evidence) {
			e.After.PromiseKept = number(60)
		}, Unhealthy, "although no more messages arrived"},
		"the load grew": {func(e *Evidence) {
			e.After.PromiseKept, e.After.Arrived = number(60), 1200
		}, Healthy, "but more messages arrived"},
		"a little worse": {func(e *Evidence) { e.After.PromiseKept = number(75) }, Healthy, ""},

		"the canary failed": {func(e *Evidence) {
			e.Over, e.Canary = false, CanaryResult{Status: CanaryFailed, New: true, Message: "no disk"}
		}, Unhealthy, "took the canary and failed: no disk"},
		"an old version failed it": {func(e *Evidence) {
			e.Canary = CanaryResult{Status: CanaryFailed}
		}, Healthy, "inconclusive"},
		"nobody answered, others did": {func(e *Evidence) {
			e.Canary = CanaryResult{Status: CanaryUnanswered}
		}, Healthy, "nobody answered it within 210 s"},
		"an old version took it": {func(e *Evidence) {
			e.Canary = CanaryResult{Status: CanaryAnswered}
		}, Healthy, "an old version took it each time"},
		"it was not sent": {func(e *Evidence) {
			e.Canary = CanaryResult{Status: CanaryNotSent, Message: "KMS"}
		}, Healthy, "could not be sent: KMS"},
		"not wanted": {func(e *Evidence) {
			e.Canary = CanaryResult{Status: CanaryNotWanted}
		}, Healthy, ""},
		"no traffic": {func(e *Evidence) { e.After = Measured{Seconds: 300} }, NoTraffic, ""},
		"no traffic, no canary": {func(e *Evidence) {
			e.After, e.Canary = Measured{Seconds: 300}, CanaryResult{Status: CanaryNotWanted}
		}, NoTraffic, ""},
		"no traffic, canary lost": {func(e *Evidence) {
			e.After, e.Canary = Measured{Seconds: 300}, CanaryResult{Status: CanaryUnanswered}
		}, Inconclusive, "nobody answered"},
		"nobody takes anything": {func(e *Evidence) {
			e.After, e.Visible, e.Canary = Measured{Seconds: 300}, 7, CanaryResult{Status: CanaryUnanswered}
		}, Unhealthy, "7 messages wait and nobody takes them"},
		"it answers, then messages come": {func(e *Evidence) {
			e.After, e.Visible = Measured{Seconds: 300}, 2
		}, NoTraffic, "2 messages wait"},
		"taken and never finished": {func(e *Evidence) {
			e.After, e.InFlight = Measured{Seconds: 300}, 3
		}, Unhealthy, "3 messages are in hand and none was finished in 300 s; p95 was 5 s before"},
		"long jobs": {func(e *Evidence) {
			e.After, e.InFlight, e.Plan.Baseline.P95Duration = Measured{Seconds: 300}, 3, number(900)
		}, Inconclusive, "none was finished yet"},
		"idle before the time is over": {func(e *Evidence) {
			e.After, e.Over, e.Visible = Measured{Seconds: 60}, false, 7
		}, Watching, ""},
		"old tasks still work beside": {func(e *Evidence) { e.Lingering = true }, Healthy, "partly theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			e := Evidence{
				Plan:   Plan{Baseline: measured(nil), Canary: Canary{TimeoutSeconds: 210}},
				Canary: answered, After: measured(nil), MaximumSlowdown: 2, Over: true,
			}
			test.change(&e)
			verdict, problems, notes := e.Judge()
			if verdict != test.want {
				t.Errorf("verdict is %s, want %s; problems %q, notes %q", verdict, test.want, problems, notes)
			}
			said := strings.Join(append(problems, notes...), "\n")
			if !strings.Contains(said, test.says) || test.says == "" && said != "" {
				t.Errorf("it says %q, want %q", said, test.says)
			}
		})
	}
}

// TestCheckOutcomeReadsEverything looks at a service with a fault of each kind, at the moment when the time is over.
func TestCheckOutcomeReadsEverything(t *testing.T) {
	w := newWorld()
	w.depths["dead"] = [2]int{2, 0}
	plan := prepare(t, w, `{}`)
	w.depths["dead"], w.depths["queue"] = [2]int{5, 0}, [2]int{1, 4}
	w.stop(badArn, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited", aws.Int32(137))
	w.stop(badArn, types.TaskStopCodeServiceSchedulerInitiated, "Scaling activity initiated", nil)
	w.stop(badArn, types.TaskStopCodeServiceSchedulerInitiated, "Task failed container health checks", nil)
	w.stop(badArn, types.TaskStopCodeSpotInterruption, "Your Spot Task was interrupted.", aws.Int32(143))
	w.stop(badArn, types.TaskStopCodeTaskFailedToStart, "CannotPullContainerError", nil)
	w.stop(oldArn, types.TaskStopCodeEssentialContainerExited, "Essential container in task exited", aws.Int32(1))
	w.series = map[string][]point{
		// A minute in which old tasks worked too, and one after it.
		"processed": {{noon, 100}, {noon.Add(time.Minute), 40}}, "duration": {{noon, 1}, {noon.Add(time.Minute), 3}},
	}
	rollout := Rollout{Status: RolloutCompleted, At: noon.Add(10 * time.Second)}
	checker := OutcomeChecker{
		ECS: w, CloudWatch: w, SQS: w, Service: service, Metrics: metrics, Queue: "queue", DeadLetterQueue: "dead",
		MaximumSlowdown: 2,
	}
	look := func(at time.Time) Outcome {
		checker.Now = func() time.Time { return at }
		out, err := checker.Look(t.Context(), OutcomeRequest{Plan: plan, Rollout: rollout})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := look(noon.Add(8 * time.Minute))
	if got.After.Processed != 40 || *got.After.P95Duration != 3 || got.DeadLetters != 3 || got.Visible != 1 ||
		got.InFlight != 4 {
		t.Errorf("outcome is %+v; want 40 messages of the new version, 3 dead letters, 1 visible, 4 in flight", got)
	}
	if got.Verdict != Unhealthy || len(got.Problems) != 2 || !strings.HasPrefix(got.Problems[0], "2 tasks") ||
		!strings.Contains(got.Problems[0], "(exit code 137)") {
		t.Errorf("problems are %q, want two crashes with their reasons, and the dead letters", got.Problems)
	}

	w.stopped, w.depths["dead"] = nil, [2]int{2, 0}
	// The soak time of 5 minutes from the rollout, and two periods until the metrics of its end can be read.
	if early, late := look(noon.Add(7*time.Minute)),
		look(noon.Add(7*time.Minute+10*time.Second)); early.Verdict != Watching ||
		late.Verdict != Healthy {
		t.Errorf("verdicts are %s and %s, want watching until the soak time is over, then healthy", early.Verdict,
			late.Verdict)
	}
}

// What another deployment does is neither held against the version nor for it.
func TestOutcomeOfAVersionThatWasOvertaken(t *testing.T) {
	for name, test := range map[string]struct {
		deployments []types.Deployment
		at          time.Time // of the primary deployment
		want        string
	}{
		"another is primary": {
			[]types.Deployment{deployment("PRIMARY", otherArn, types.DeploymentRolloutStateInProgress, 2, 0),
				deployment("ACTIVE", badArn, types.DeploymentRolloutStateCompleted, 2, 2)},
			noon.Add(3 * time.Minute), "the service moves to worker:9",
		},
		"it came back": {
			[]types.Deployment{deployment("PRIMARY", badArn, types.DeploymentRolloutStateCompleted, 2, 2)},
			noon.Add(3 * time.Minute), "deployed once more",
		},
		"it still runs": {
			[]types.Deployment{deployment("PRIMARY", badArn, types.DeploymentRolloutStateCompleted, 2, 2)},
			noon.Add(-time.Minute), "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			test.deployments[0].CreatedAt = &test.at
			w.deploy(test.deployments...)
			w.depths["dead"] = [2]int{50, 0}
			checker := OutcomeChecker{
				ECS: w, CloudWatch: w, SQS: w, Service: service, Metrics: metrics, Queue: "queue",
				DeadLetterQueue: "dead", MaximumSlowdown: 2, Now: func() time.Time { return noon.Add(4 * time.Minute) },
			}
			plan := Plan{Expected: Version{TaskDefinition: "worker:8", TaskDefinitionArn: badArn}, SoakSeconds: 300}
			got, err := checker.Look(t.Context(), OutcomeRequest{Plan: plan, Rollout: Rollout{At: noon}})
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				if got.Verdict != Unhealthy {
					t.Errorf("verdict is %s, want unhealthy: 50 messages were set aside", got.Verdict)
				}
				return
			}
			if got.Verdict != Superseded || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], test.want) {
				t.Errorf("verdict is %s with %q, want superseded with %q", got.Verdict, got.Notes, test.want)
			}
			report, err := Reporter{Stack: "s"}.Report(t.Context(), ReportRequest{Plan: plan, Outcome: got})
			if err != nil || report.Result != CameTooLate || !strings.Contains(report.Summary, test.want) {
				t.Errorf("the report says %s: %s (%v)", report.Result, report.Summary, err)
			}
		})
	}
}
