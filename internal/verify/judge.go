package verify

import (
	"fmt"
	"strings"
)

// Evidence is everything that a version is judged by.
type Evidence struct {
	Plan            Plan
	Canary          CanaryResult
	Lingering       bool // old tasks are still at work beside the new ones
	After           Measured
	Stopped         stopped
	DeadLetters     int // that came since the verification began
	Visible         int // messages of the queue that can be taken
	InFlight        int // messages that workers have in hand
	MaximumSlowdown float64
	Over            bool // the soak time is
}

// What is tolerated. A rollback that was not needed costs a deployment; one that was missed costs messages.
const (
	fewSamples         = 20.0 // below these, a percentile or a share says nothing
	tolerableFailures  = 2.0  // attempts; any version may meet a broken connection
	tolerableShare     = 0.05 // by which failures may grow, of all attempts
	tolerableNotBegun  = 2    // tasks; ECS tries again when capacity or a network interface is missing
	tolerablePromise   = 25.0 // percentage points by which the promise kept may fall
	comparableArrivals = 1.25 // factor of the arrivals before, above which the load explains a fall
)

// Judge returns what the evidence says. Problems are final at once; a version is healthy only when the time is over.
func (e Evidence) Judge() (verdict Verdict, problems, notes []string) {
	j := judgement{Evidence: e, problems: []string{}, notes: []string{}} // [] rather than null for the reader
	j.canary()
	j.stopped()
	j.deadLetters()
	j.failures()
	j.durations()
	j.promise()
	if e.Over {
		j.idle()
	}
	if e.Lingering {
		j.note("old tasks are still finishing their work: what was measured is partly theirs")
	}
	return j.verdict(), j.problems, j.notes
}

type judgement struct {
	Evidence
	problems, notes []string
}

func (j *judgement) problem(format string, values ...any) {
	j.problems = append(j.problems, fmt.Sprintf(format, values...))
}

func (j *judgement) note(format string, values ...any) {
	j.notes = append(j.notes, fmt.Sprintf(format, values...))
}

func (j *judgement) verdict() Verdict {
	switch {
	case len(j.problems) > 0:
		return Unhealthy
	case !j.Over:
		return Watching
	case j.After.Processed > 0:
		return Healthy
	case j.InFlight > 0 || j.Canary.Status != CanaryNotWanted && !j.canaryProves():
		return Inconclusive
	default:
		return NoTraffic
	}
}

func (j *judgement) canaryProves() bool { return j.Canary.Status == CanaryAnswered && j.Canary.New }

// canary: only the expected version's own word that it does not work counts against it.
func (j *judgement) canary() {
	switch {
	case j.Canary.Status == CanaryFailed && j.Canary.New:
		j.problem("the new version took the canary and failed: %s", j.Canary.Message)
	case j.Canary.Status == CanaryFailed:
		j.note("the canary is inconclusive: an old version took it and failed: %s", j.Canary.Message)
	case j.Canary.Status == CanaryUnanswered:
		j.note("the canary is inconclusive: nobody answered it within %d s", j.Plan.Canary.TimeoutSeconds)
	case j.Canary.Status == CanaryNotSent:
		j.note("the canary is inconclusive: it could not be sent: %s", j.Canary.Message)
	case j.Canary.Status == CanaryAnswered && !j.Canary.New:
		j.note("the canary is inconclusive: an old version took it each time")
	}
}

func (j *judgement) stopped() {
	if crashed := j.Stopped.Crashed; len(crashed) > 0 {
		j.problem("%d tasks of the new version ended by themselves: %s", len(crashed), list(crashed))
	}
	if not := j.Stopped.NotBegun; len(not) > tolerableNotBegun {
		j.problem("%d tasks of the new version could not start: %s", len(not), list(not))
	} else if len(not) > 0 {
		j.note("%d tasks could not start at first: %s", len(not), list(not))
	}
}

// deadLetters compares the share of messages that can never succeed: some producers send such messages all the time.
func (j *judgement) deadLetters() {
	aside := max(float64(j.DeadLetters), j.After.SetAside)
	if aside == 0 {
		return
	}
	before := share(j.Plan.Baseline.SetAside, j.Plan.Baseline.Processed)
	if after := share(aside, j.After.Processed); after > 2*before {
		j.problem("%.0f messages were set aside as impossible: %s of all, %s before",
			aside, percent(after), percent(before))
	} else {
		j.note("%.0f messages were set aside as impossible, no larger a share than before", aside)
	}
}

func (j *judgement) failures() {
	if j.After.Failed <= tolerableFailures {
		return
	}
	before := share(j.Plan.Baseline.Failed, j.Plan.Baseline.Processed)
	if after := share(j.After.Failed, j.After.Processed); after > 2*before && after > before+tolerableShare {
		j.problem("%.0f attempts failed: %s of all, %s before", j.After.Failed, percent(after), percent(before))
	}
}

func (j *judgement) durations() {
	before, after := j.Plan.Baseline, j.After
	if before.P95Duration == nil || after.P95Duration == nil {
		return
	}
	if before.Processed < fewSamples || after.Processed < fewSamples {
		j.note("too few messages to compare durations: %.0f, and %.0f before", after.Processed, before.Processed)
		return
	}
	if *after.P95Duration > j.MaximumSlowdown**before.P95Duration {
		j.problem("messages take longer: p95 is %.3g s, %.3g s before, and at most %g times that is allowed",
			*after.P95Duration, *before.P95Duration, j.MaximumSlowdown)
	}
}

// promise: a fall counts only if no more messages arrived than before, which would explain it.
func (j *judgement) promise() {
	before, after := j.Plan.Baseline, j.After
	if before.PromiseKept == nil || after.PromiseKept == nil ||
		before.Processed < fewSamples || after.Processed < fewSamples ||
		*after.PromiseKept >= *before.PromiseKept-tolerablePromise {
		return
	}
	if rate(after) > comparableArrivals*rate(before) {
		j.note("%.0f %% of messages began in time, %.0f %% before; but more messages arrived than before",
			*after.PromiseKept, *before.PromiseKept)
		return
	}
	j.problem("%.0f %% of messages began in time, %.0f %% before, although no more messages arrived",
		*after.PromiseKept, *before.PromiseKept)
}

// idle looks at a time in which no message was finished: there was none, or none is worked on, or it takes so long.
func (j *judgement) idle() {
	if j.After.Processed > 0 {
		return
	}
	before := j.Plan.Baseline.P95Duration
	switch {
	case j.InFlight > 0 && before != nil && j.After.Seconds > 2**before:
		j.problem("%d messages are in hand and none was finished in %g s; p95 was %.3g s before",
			j.InFlight, j.After.Seconds, *before)
	case j.InFlight > 0:
		j.note("%d messages are in hand and none was finished yet", j.InFlight)
	case j.Visible > 0 && !j.canaryProves():
		j.problem("%d messages wait and nobody takes them", j.Visible)
	case j.Visible > 0:
		j.note("%d messages wait", j.Visible)
	}
}

// share of messages among themselves and the processed ones.
func share(some, processed float64) float64 {
	if some+processed == 0 {
		return 0
	}
	return some / (some + processed)
}

func percent(share float64) string { return fmt.Sprintf("%.3g %%", 100*share) }

func rate(m Measured) float64 {
	if m.Seconds == 0 {
		return 0
	}
	return m.Arrived / m.Seconds
}

// list names the first few.
func list(items []string) string {
	const most = 3
	if len(items) <= most {
		return strings.Join(items, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(items[:most], "; "), len(items)-most)
}
