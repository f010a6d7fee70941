package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// PrepareRequest is the input of the step Prepare Verification.
type PrepareRequest struct {
	Input json.RawMessage `json:"input"` // of the execution, as it was given
}

type prepareECS interface {
	serviceClient
	definitionReader
	historyClient
}

// Preparer makes the Plan of a verification.
type Preparer struct {
	ECS        prepareECS
	CloudWatch metricsClient
	SQS        queueClient

	Service         Service
	Metrics         Metrics
	DeadLetterQueue string // URL; may be empty
	FIFO            bool
	AcceptableDelay time.Duration
	Start           time.Duration // that a task may take to start
	Baseline        time.Duration // how long before the rollout is compared with
	Rollback        time.Duration // longest wait for a rollback
	Defaults        Request
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// ServiceMissing says that there is nothing to verify.
type ServiceMissing struct{ Service string }

func (e *ServiceMissing) Error() string {
	return fmt.Sprintf("the service %s does not exist or is being deleted", e.Service)
}

// ErrorName is the name under which a state machine sees the error.
func (*ServiceMissing) ErrorName() string { return "ServiceMissing" }

// Prepare checks the input, finds the version that is verified and the one before it, and measures how things stood. It
// changes nothing.
//
// Errors that a machine can match are *stepinput.InvalidInput, *ServiceMissing and *MetricsIncomplete.
func (p Preparer) Prepare(ctx context.Context, request PrepareRequest) (Plan, error) {
	asked, err := ParseRequest(request.Input, p.Defaults)
	if err != nil {
		return Plan{}, err
	}
	plan := Plan{
		Reason: asked.Reason, Change: asked.Change, At: now(p.Now), RollBack: asked.RollBack,
		RolloutSeconds: asked.Rollout.Seconds(), SoakSeconds: asked.Soak.Seconds(),
		RollbackSeconds: p.Rollback.Seconds(),
	}
	if err := p.findVersions(ctx, asked.ImageDigest, &plan); err != nil {
		return Plan{}, err
	}
	plan.Summary = plan.summary()
	if plan.At.Sub(plan.Deployed) > asked.Rollout+asked.Soak+settledAfter {
		plan.Summary += fmt.Sprintf("; it has run since %s", plan.Deployed.Format("2006-01-02 15:04 MST"))
		plan.Settled, plan.Deployed, plan.RollBack = true, plan.At, asked.RollBack && asked.Insist
	}
	start := plan.Deployed.Add(-p.Baseline)
	if plan.Baseline, err = p.Metrics.read(ctx, p.CloudWatch, start, plan.Deployed); err != nil {
		return Plan{}, err
	}
	if plan.DeadLetters, _, err = depth(ctx, p.SQS, p.DeadLetterQueue); err != nil {
		return Plan{}, err
	}
	plan.Canary = Canary{
		Wanted: asked.Canary, FIFO: p.FIFO, Attempts: canaryAttempts,
		TimeoutSeconds: canaryTime(plan.Baseline.P95Wait, p.AcceptableDelay, p.Start),
	}
	return plan, nil
}

// settledAfter is how much later than a slow rollout and its soak time a verification may begin, and still be one of a
// rollout.
const settledAfter = 2 * time.Hour

// findVersions fills in what is expected, since when, and what was before.
func (p Preparer) findVersions(ctx context.Context, digest string, plan *Plan) error {
	snapshot, err := p.Service.snapshot(ctx, p.ECS)
	if err != nil {
		return err
	}
	if !snapshot.Active || snapshot.primary() == nil {
		return &ServiceMissing{Service: p.Service.Name}
	}
	history, err := p.Service.history(ctx, p.ECS)
	if err != nil {
		return err
	}
	plan.Expected, plan.Deployed, err = p.expected(ctx, digest, snapshot, history)
	if err != nil {
		return err
	}
	if plan.Deployed.IsZero() {
		plan.Deployed = plan.At
	}
	if plan.Expected.TaskDefinitionArn != "" {
		plan.Before = before(history, plan.Expected, plan.Deployed)
	}
	return nil
}

// expected returns the version with the digest, or the primary one if there is none, and when its rollout began. A
// digest that no deployment has is returned alone.
func (p Preparer) expected(ctx context.Context, digest string, snapshot Snapshot, history []Past) (
	Version, time.Time, error,
) {
	for _, deployment := range snapshot.Deployments {
		if digest == "" && !deployment.Primary {
			continue
		}
		version, err := p.Service.version(ctx, p.ECS, deployment.TaskDefinition)
		if err != nil {
			return Version{}, time.Time{}, err
		}
		if past := latestOf(history, deployment.TaskDefinition); past != nil && version.ImageDigest == "" {
			version.ImageDigest = past.Version.ImageDigest // of an image that is named by a tag
		}
		if digest == "" || version.ImageDigest == digest {
			return version, began(history, deployment), nil
		}
	}
	if past := latest(history, digest); past != nil {
		return past.Version, past.Created, nil
	}
	return Version{ImageDigest: digest}, time.Time{}, nil
}

// began is when the deployment's rollout began. After the circuit breaker went back to an old deployment, its own time
// is that of long ago; the history knows better.
func began(history []Past, deployment Deployment) time.Time {
	if past := latestOf(history, deployment.TaskDefinition); past != nil && past.Created.After(deployment.Created) {
		return past.Created
	}
	return deployment.Created
}

func (p Plan) summary() string {
	what := "the image " + p.Expected.ImageDigest
	if p.Expected.TaskDefinition != "" {
		what = p.Expected.TaskDefinition
	}
	text := fmt.Sprintf("verify %s (%s)", what, p.Reason)
	if p.Before != nil {
		text += "; before it: " + p.Before.TaskDefinition
	}
	return text
}

func now(clock func() time.Time) time.Time {
	if clock == nil {
		clock = time.Now
	}
	return clock().UTC()
}
