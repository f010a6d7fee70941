package retune

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestJudge(t *testing.T) {
	figures := func(samples int, kept float64) Figures { return Figures{Samples: samples, PromiseKeptPercent: &kept} }
	change := func(backlog, rate float64) Applied {
		return Applied{
			Before: Settings{Targets: Targets{Backlog: 13, Rate: 9.6}},
			After:  Settings{Targets: Targets{Backlog: backlog, Rate: rate}},
		}
	}
	bounds := func(least, most int) Applied {
		applied := change(13, 9.6)
		applied.Before.Bounds, applied.After.Bounds = &Bounds{
			MinTasks: 2,
			MaxTasks: 10,
		}, &Bounds{
			MinTasks: least,
			MaxTasks: most,
		}
		return applied
	}
	for name, test := range map[string]struct {
		applied       Applied
		before, after Figures
		worse         bool
		says          string
	}{
		"worse": {
			change(16, 12), figures(100, 97), figures(100, 91), true,
			"worse: the promise was kept for 97 % of the messages before the change and 91 % since, a fall by more " +
				"than 5 " +
				"points, and the change explains it: it allowed 16 messages per task instead of 13, it sent each " +
				"task 12 " +
				"messages per period instead of 9.6",
		},
		"exactly the margin": {change(16, 12), figures(100, 97), figures(100, 92), false, "no fall by more than 5 " +
			"points"},
		"better": {change(16, 12), figures(100, 80), figures(100, 99), false, "kept: "},
		"the other direction": {
			change(10, 8), figures(100, 97), figures(100, 50), false,
			"but the change asked for more tasks, so it is not the reason",
		},
		"fewer tasks allowed": {bounds(2, 5), figures(100, 97), figures(100, 50), true, "it allowed 2 to 5 tasks " +
			"instead of 2 to 10 tasks"},
		"more tasks allowed": {bounds(3, 20), figures(100, 97), figures(100, 50), false, "asked for more tasks"},
		"few since": {change(16, 12), figures(100, 97), figures(29, 0), false, "too few to tell, the " +
			"minimum is 30"},
		"few before":          {change(16, 12), figures(29, 97), figures(100, 0), false, "too few to tell"},
		"no promise measured": {change(16, 12), Figures{Samples: 100}, figures(100, 0), false, "too few to tell"},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(30, test.applied, test.before, test.after)
			if got.Worse != test.worse || !strings.Contains(got.Summary, test.says) {
				t.Errorf("worse %v: %s; want %v: %s", got.Worse, got.Summary, test.worse, test.says)
			}
		})
	}
}

// compared is half an hour after a change at 11:30.
func compared(t *testing.T) (Comparer, measuring, CompareRequest) {
	t.Helper()
	m, bundle := setup(t, nil)
	record, err := json.Marshal(Record{ProcessingSeconds: 4, Targets: wanted, Execution: arn})
	if err != nil {
		t.Fatal(err)
	}
	bundle.parameters.value = aws.String(string(record))
	bundle.scaling.policies[0] = policy(names.Backlog, resource, wanted.Backlog)
	bundle.scaling.policies[1] = policy(names.Rate, resource, wanted.Rate)
	return Comparer{m}, bundle, CompareRequest{Measurement: measurement(1000, 4), Applied: Applied{
		At:     noon.Add(-30*time.Minute + 20*time.Second),
		Before: Settings{Targets: Targets{Backlog: 13, Rate: 9.6}}, After: Settings{Targets: wanted},
	}}
}

func TestCompare(t *testing.T) {
	c, bundle, request := compared(t)
	bundle.metrics.pages = nil
	got, err := c.Compare(t.Context(), request)
	if err == nil {
		t.Fatalf("no answer was taken for one: %+v", got)
	}

	c, bundle, request = compared(t)
	both := answered(map[string][]float64{
		durationSum: {400}, durationCount: {100}, keptSum: {80}, keptCount: {100}, waitSum: {1}, waitCount: {1},
	})
	bundle.metrics.pages = [][]cwtypes.MetricDataResult{both}
	bundle.metrics.eachRequest = true
	if got, err = c.Compare(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	since, earlier := bundle.metrics.requests[0], bundle.metrics.requests[1]
	if from := noon.Add(-29 * time.Minute); !since.StartTime.Equal(from) ||
		!since.EndTime.Equal(noon.Add(time.Minute)) ||
		!earlier.EndTime.Equal(from) ||
		!earlier.StartTime.Equal(from.Add(-30*time.Minute)) {
		t.Errorf("compared %v to %v with %v to %v", since.StartTime, since.EndTime, earlier.StartTime, earlier.EndTime)
	}
	if got.Worse || got.Superseded || got.Before.Samples != 100 || *got.After.PromiseKeptPercent != 80 {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{
		got.Summary, "Before: 2026-03-01T11:01:00Z to 2026-03-01T11:31:00Z: 100 messages of 4 s, promise kept 80 %",
		"Since:  2026-03-01T11:31:00Z to 2026-03-01T12:01:00Z", "Targets since: 16 messages per task, 12 sent",
		"Targets again: 13 messages per task, 9.6 sent",
	} {
		if !strings.Contains(got.Notice, want) {
			t.Errorf("the notice does not say %q: %s", want, got.Notice)
		}
	}
}

// TestVersionsAreNotCompared: a change of the targets has no part in what a new version does.
func TestVersionsAreNotCompared(t *testing.T) {
	for name, deployment := range map[string]ecstypes.Deployment{
		"since":       {RolloutState: ecstypes.DeploymentRolloutStateCompleted, CreatedAt: aws.Time(noon)},
		"before":      {CreatedAt: aws.Time(noon.Add(-50 * time.Minute))},
		"in progress": {RolloutState: ecstypes.DeploymentRolloutStateInProgress},
	} {
		c, bundle, request := compared(t)
		deployment.Status = aws.String("PRIMARY")
		deployment.TaskDefinition = aws.String("arn:aws:ecs:r:1:task-definition/worker:8")
		bundle.services.deployments = []ecstypes.Deployment{deployment}
		got, err := c.Compare(t.Context(), request)
		if err != nil || got.Worse || !strings.Contains(got.Summary, "kept: the rollout of worker:8") ||
			len(bundle.metrics.requests) != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestSuperseded: what somebody else has changed since is not this execution's business any more.
func TestSuperseded(t *testing.T) {
	for want, change := range map[string]func(measuring){
		"the newer execution 2 has changed the targets": func(m measuring) {
			m.parameters.value = aws.String(`{"processingSeconds":1,"backlogTarget":1,"rateTarget":1,
				"execution":"a:2"}`)
		},
		"somebody else has set the targets to 77 and 12": func(m measuring) {
			m.scaling.policies[0] = policy(names.Backlog, resource, 77)
		},
	} {
		c, bundle, request := compared(t)
		change(bundle)
		got, err := c.Compare(t.Context(), request)
		if err != nil || !got.Superseded || got.Worse || !strings.Contains(got.Summary, want) ||
			len(bundle.metrics.requests) != 0 {
			t.Errorf("%+v, %v; want %q", got, err, want)
		}
	}
}
