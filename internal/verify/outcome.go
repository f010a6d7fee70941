package verify

import (
	"context"
	"time"
)

// OutcomeRequest is the input of the step Check Outcome.
type OutcomeRequest struct {
	Plan    Plan         `json:"plan"`
	Rollout Rollout      `json:"rollout"`
	Canary  CanaryResult `json:"canary"`
}

// CanaryStatus tells what became of the canary.
type CanaryStatus string

// Canary statuses.
const (
	CanaryNotWanted  CanaryStatus = "not wanted"
	CanaryAnswered   CanaryStatus = "answered"
	CanaryFailed     CanaryStatus = "failed"     // a worker took it, and said that it does not work
	CanaryUnanswered CanaryStatus = "unanswered" // nobody answered in time
	CanaryNotSent    CanaryStatus = "not sent"
)

// CanaryResult is what the machine noted of the canary: the worker's answer and whether it is the expected version's.
type CanaryResult struct {
	Status         CanaryStatus `json:"status"`
	New            bool         `json:"new"` // the expected version answered
	Version        string       `json:"version,omitempty"`
	ImageDigest    string       `json:"imageDigest,omitempty"`
	TaskDefinition string       `json:"taskDefinition,omitempty"`
	TaskID         string       `json:"taskId,omitempty"`
	Message        string       `json:"message,omitempty"` // why it failed or was not sent
}

// Verdict is what the outcome says of a version.
type Verdict string

// Verdicts. All but Watching are final.
const (
	Watching     Verdict = "watching"
	Healthy      Verdict = "healthy"
	NoTraffic    Verdict = "no traffic"   // the canary at most was worked on
	Inconclusive Verdict = "inconclusive" // nothing was proved either way
	Unhealthy    Verdict = "unhealthy"
	Superseded   Verdict = "superseded" // what is measured now is another deployment's
)

// Outcome is the output of the step Check Outcome.
type Outcome struct {
	Verdict     Verdict   `json:"verdict"`
	Problems    []string  `json:"problems"` // what speaks against the version
	Notes       []string  `json:"notes"`    // what a person may want to know
	Before      Measured  `json:"before"`
	After       Measured  `json:"after"`
	DeadLetters int       `json:"deadLetters"` // that came since the verification began
	Visible     int       `json:"visible"`     // messages of the queue that can be taken
	InFlight    int       `json:"inFlight"`    // messages that workers have in hand
	At          time.Time `json:"at"`
}

type outcomeECS interface {
	taskClient
	serviceClient
}

// OutcomeChecker looks at what came of a version.
type OutcomeChecker struct {
	ECS        outcomeECS
	CloudWatch metricsClient
	SQS        queueClient

	Service         Service
	Metrics         Metrics
	Queue           string // URL
	DeadLetterQueue string // URL; may be empty
	// MaximumSlowdown is by what factor the p95 of the processing duration may grow.
	MaximumSlowdown float64
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Look judges what has come of the version until now. The soak time begins when the rollout is completed. It ends when
// also the metrics of its last period can be read.
func (c OutcomeChecker) Look(ctx context.Context, request OutcomeRequest) (Outcome, error) {
	plan, at := request.Plan, now(c.Now)
	e := Evidence{
		Plan: plan, Canary: request.Canary, Lingering: request.Rollout.Lingering, MaximumSlowdown: c.MaximumSlowdown,
		Over: !at.Before(request.Rollout.At.Add(seconds(plan.SoakSeconds) + 2*c.Metrics.Period)),
	}
	snapshot, err := c.Service.snapshot(ctx, c.ECS)
	if err != nil {
		return Outcome{}, err
	}
	if why := overtaken(plan, request.Rollout, snapshot); why != "" {
		return Outcome{
			Verdict: Superseded, Problems: []string{}, Notes: []string{why}, Before: plan.Baseline, At: at,
		}, nil
	}
	if e.After, err = c.Metrics.read(ctx, c.CloudWatch, request.Rollout.At, at); err != nil {
		return Outcome{}, err
	}
	if e.Stopped, err = c.Service.stoppedTasks(ctx, c.ECS, plan.Expected, plan.Deployed); err != nil {
		return Outcome{}, err
	}
	if e.Visible, e.InFlight, err = depth(ctx, c.SQS, c.Queue); err != nil {
		return Outcome{}, err
	}
	dead, _, err := depth(ctx, c.SQS, c.DeadLetterQueue)
	if err != nil {
		return Outcome{}, err
	}
	e.DeadLetters = max(0, dead-plan.DeadLetters)
	verdict, problems, notes := e.Judge()
	return Outcome{
		Verdict: verdict, Problems: problems, Notes: notes, Before: plan.Baseline, After: e.After,
		DeadLetters: e.DeadLetters, Visible: e.Visible, InFlight: e.InFlight, At: at,
	}, nil
}

// overtaken says why what is measured now cannot be held against the version, or for it; nothing if it can.
func overtaken(plan Plan, rollout Rollout, s Snapshot) string {
	primary := s.primary()
	switch {
	case !s.Active || primary == nil:
		return "the service does not exist any more"
	case primary.TaskDefinition != plan.Expected.TaskDefinitionArn:
		return "another deployment came while it was watched: the service moves to " + short(primary.TaskDefinition)
	case primary.Created.After(rollout.At):
		return "it was deployed once more while it was watched; another version may have run in between"
	default:
		return ""
	}
}
