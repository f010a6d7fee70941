package verify

import (
	"context"
	"fmt"
	"strings"
)

// ReportRequest is the input of the step Write Report. What the machine did not come to is zero.
type ReportRequest struct {
	Execution string       `json:"execution"` // ARN
	Plan      Plan         `json:"plan"`
	Rollout   Rollout      `json:"rollout"`
	Canary    CanaryResult `json:"canary"`
	Outcome   Outcome      `json:"outcome"`
	Rollback  Rollback     `json:"rollback"`
}

// Result is how a verification ended.
type Result string

// Results.
const (
	Verified       Result = "verified"
	VerifiedIdle   Result = "no traffic"   // nothing speaks against the version, and hardly anything for it
	NotProved      Result = "inconclusive" // likewise, and not even a canary
	RolledBack     Result = "rolled back"
	StoppedByECS   Result = "stopped by ECS" // the circuit breaker went back
	NotRolledBack  Result = "not rolled back"
	ReportedOnly   Result = "bad, not rolled back as asked"
	CameTooLate    Result = "superseded"
	NeverDeployed  Result = "not deployed"
	ServiceDeleted Result = "service deleted"
)

// errorNames are the errors with which an execution ends that did not end well.
var errorNames = map[Result]string{
	RolledBack: "VersionRolledBack", StoppedByECS: "RolloutStoppedByECS", NotRolledBack: "VersionNotRolledBack",
	ReportedOnly: "VersionBad", CameTooLate: "VersionSuperseded", NeverDeployed: "VersionNotDeployed",
	ServiceDeleted: "ServiceMissing",
}

// Report is the output of the step Write Report, and of the execution.
type Report struct {
	OK      bool   `json:"ok"`
	Result  Result `json:"result"`
	Summary string `json:"summary"`
	// Error, Subject and Message are for an execution that did not end well: its error name, and its notification.
	Error   string `json:"error,omitempty"`
	Subject string `json:"subject,omitempty"` // at most 100 characters, as SNS wants it
	Message string `json:"message,omitempty"`

	Change   string          `json:"change,omitempty"`
	Version  Version         `json:"version"`
	Before   *Version        `json:"before"`
	Canary   CanaryStatus    `json:"canary"`
	Problems []string        `json:"problems"`
	Notes    []string        `json:"notes"`
	Measured *MeasuredChange `json:"measured"` // nil: the version did not come to work
	Rollback RollbackStatus  `json:"rollback,omitempty"`
}

// MeasuredChange sets the time before the version beside its own.
type MeasuredChange struct {
	Before Measured `json:"before"`
	After  Measured `json:"after"`
}

// Reporter writes reports.
type Reporter struct {
	Stack string // name
}

// Report tells how a verification ended. It has no side effect and never fails.
func (r Reporter) Report(_ context.Context, request ReportRequest) (Report, error) {
	result, why := conclude(request)
	out := Report{
		Result: result, Error: errorNames[result], Change: request.Plan.Change,
		Version: request.Plan.Expected, Before: request.Plan.Before, Canary: request.Canary.Status,
		Problems: request.Outcome.Problems, Notes: request.Outcome.Notes, Rollback: request.Rollback.Status,
	}
	out.OK = out.Error == ""
	if request.Outcome.Verdict != "" {
		out.Measured = &MeasuredChange{Before: request.Outcome.Before, After: request.Outcome.After}
	}
	out.Summary = fmt.Sprintf("%s: %s: %s", name(request.Plan), result, why)
	if !out.OK {
		out.Subject = subject(fmt.Sprintf("%s: %s %s", r.Stack, name(request.Plan), result))
		out.Message = r.message(request, out, why)
	}
	return out, nil
}

// conclude finds the result and says why.
func conclude(request ReportRequest) (result Result, why string) {
	switch request.Rollback.Status {
	case "": // it was not tried
	case RollbackDone:
		return RolledBack, badness(request)
	case RollbackNotWanted:
		return ReportedOnly, badness(request)
	case RollbackSuperseded:
		return CameTooLate, badness(request) + "; " + request.Rollback.Summary
	default:
		return NotRolledBack, badness(request) + "; " + request.Rollback.Summary
	}
	switch request.Rollout.Status {
	case RolloutRolledBack:
		return StoppedByECS, request.Rollout.Summary
	case RolloutSuperseded:
		return CameTooLate, request.Rollout.Summary
	case RolloutNotDeployed:
		return NeverDeployed, request.Rollout.Summary
	case RolloutGone:
		return ServiceDeleted, request.Rollout.Summary
	default: // what became of it decides
	}
	o := request.Outcome
	switch o.Verdict {
	case Healthy:
		return Verified, fmt.Sprintf("%.0f messages processed in %g s%s",
			o.After.Processed, o.After.Seconds, remarks(o))
	case Superseded:
		return CameTooLate, strings.Join(o.Notes, "; ")
	case NoTraffic:
		return VerifiedIdle, "no message came in the time" + remarks(o)
	default:
		return NotProved, "nothing speaks against the version, and nothing for it" + remarks(o)
	}
}

// badness says what is wrong with the version.
func badness(request ReportRequest) string {
	if len(request.Outcome.Problems) > 0 {
		return strings.Join(request.Outcome.Problems, "; ")
	}
	return fmt.Sprintf("the rollout is %s: %s", request.Rollout.Status, request.Rollout.Summary)
}

func remarks(o Outcome) string {
	if len(o.Notes) == 0 {
		return ""
	}
	return "; " + strings.Join(o.Notes, "; ")
}

func name(p Plan) string {
	if p.Expected.TaskDefinition != "" {
		return p.Expected.TaskDefinition
	}
	return p.Expected.ImageDigest
}

// message is the notification: what happened first, then what a person does about it.
func (r Reporter) message(request ReportRequest, out Report, why string) string {
	var text strings.Builder
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%-10s %s\n", label+":", value)
		}
	}
	fmt.Fprintf(&text, "%s: the version %s is %s.\n\n%s\n\n", r.Stack, name(request.Plan), out.Result, why)
	line("Change", request.Plan.Change)
	line("Image", request.Plan.Expected.Image)
	if request.Plan.Before != nil {
		line("Before", fmt.Sprintf("%s %s", request.Plan.Before.TaskDefinition, request.Plan.Before.Image))
	}
	line("Reason", request.Plan.Reason)
	line("Execution", request.Execution)
	line("Link", consoleLink(request.Execution))
	if advice := advices[out.Result]; advice != "" {
		text.WriteString("\n" + advice + "\n")
	}
	if n := request.Outcome.DeadLetters; n > 0 {
		// The alarm of that queue is held back for a while, because this tells it.
		fmt.Fprintf(&text, "\n%d more messages lie in the dead-letter queue than before; when the service works, send "+
			"them back.\n", n)
	}
	return text.String()
}

var advices = map[Result]string{
	RolledBack:    "The service runs the version from before. Mend the new one.",
	StoppedByECS:  "The service runs the version from before. Mend the new one.",
	NotRolledBack: "The service may run the bad version. Look at the service's deployments now.",
	ReportedOnly:  "The service runs the bad version: the verification was not to take it back, or it is no new one.",
	CameTooLate:   "The service was left alone. Verify the deployment that came after.",
}

// consoleLink leads to the execution in the console, from its ARN.
func consoleLink(execution string) string {
	parts := strings.Split(execution, ":") // arn:<partition>:states:<region>:<account>:execution:<machine>:<name>
	if len(parts) < 8 {
		return ""
	}
	return fmt.Sprintf("https://%s.console.aws.amazon.com/states/home?region=%[1]s#/v2/executions/details/%s",
		parts[3], execution)
}

// subject keeps to what SNS takes: 100 characters of ASCII on one line.
func subject(text string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return ascii[:min(len(ascii), 100)]
}
