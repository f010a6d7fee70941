package retune

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
)

// DeadBand is the relative change of both targets up to which they are left alone: a policy that is rewritten loses the
// history of its alarms for nothing.
const DeadBand = 0.05

// DecideRequest is the input of the step Decide Targets.
type DecideRequest struct {
	Measurement Measurement `json:"measurement"`
	History     *History    `json:"history"` // nil unless the settings are to be chosen by replay
}

// Decision is the output of the step Decide Targets.
type Decision struct {
	Summary       string   `json:"summary"`
	WorthChanging bool     `json:"worthChanging"` // the settings, or only the tuning record
	Outcome       string   `json:"outcome"`       // what is done, or in a few words why nothing is
	By            string   `json:"by"`            // who spoke: ByFormula, ByReplay, ByRecord or ByHand
	Why           []string `json:"why"`           // each bound that acted, in words; empty if none did
	// ProcessingSeconds is the duration that Wanted is made for; 0 if nothing usable was measured.
	ProcessingSeconds float64 `json:"processingSeconds"`
	// ReferenceSeconds is the duration that Targets are right for: another one than ProcessingSeconds when the targets
	// go only part of the way. The drift alarm compares with it; 0 leaves the alarm alone.
	ReferenceSeconds float64    `json:"referenceSeconds"`
	StillOutside     bool       `json:"stillOutside"` // the recent duration is far from ReferenceSeconds
	Watched          bool       `json:"watched"`      // to be judged afterwards: not what a person or a record says
	Current          Targets    `json:"current"`
	Wanted           Targets    `json:"wanted"`    // what the arithmetic alone asks for
	Targets          Targets    `json:"targets"`   // to apply; the current ones if not worth changing
	Bounds           *Bounds    `json:"bounds"`    // to apply; null leaves them alone
	Promise          Promise    `json:"promise"`   // that the targets are to keep: the stack's, if not by hand
	Tuning           Tuning     `json:"tuning"`    // that the targets are made with
	HoldUntil        string     `json:"holdUntil"` // as the tuning record will say
	Since            *time.Time `json:"since"`     // as the tuning record will say
	Choice           *Chosen    `json:"choice,omitempty"`
}

// Outcomes of a Decision, besides the guard rails of the package backlog that keep the targets.
const (
	outcomeChange  = "change"
	outcomeRecord  = "record" // the settings stay, but the tuning record or the drift alarm does not know of them
	outcomeHold    = "hold"   // the targets stay, and a hold on them is recorded
	outcomeHeld    = "targets are held"
	outcomeRefused = "tried and taken back"
)

// Decider decides. Nothing of it does I/O or reads a clock.
type Decider struct {
	Promise backlog.Promise // of the stack
	Limits  Bounds          // MinTasks and MaxTasks of the stack
	// OwnsBounds says that a choice may move the bounds within the limits; otherwise somebody else does.
	OwnsBounds bool
	DriftRule  DriftRule
	Chooser    chooser // nil: the formula speaks
}

// Decide works out the settings that a measurement asks for, within the guard rails. Given the same request it gives
// the same decision. Errors are *backlog.ValueError, about the promise or the request.
//
// # Long tails
//
// Durations of jobs often have a long tail, and then mean, median and 95th percentile are far apart. Both targets are
// made from the mean: they are about capacity, and n tasks finish n × c / mean messages a second whatever the shape.
// The tail is what the headroom and the utilisation below 1 are for: they are a share of the mean, which a quantile
// (chosen by replay) sizes, not another duration in the formula. One thing only moves the mean: if it lies above the
// 95th percentile, fewer than 5 % of the messages make it, and if those are fewer than the minimum of samples, it is
// a mean of a few outliers. Then the 95th percentile stands in, and the decision says so.
func (d Decider) Decide(ctx context.Context, request DecideRequest) (Decision, error) {
	p, err := d.begin(request.Measurement)
	if err != nil {
		return Decision{}, err
	}
	switch m := request.Measurement; {
	case m.setByHand():
		err = p.byHand()
	case p.held:
		p.keepHeld()
	case p.enough:
		p.choose(ctx, d.Chooser, request)
		err = p.follow()
	default:
		err = p.fallBack()
	}
	if err != nil {
		return Decision{}, err
	}
	return p.conclude(), nil
}

// deciding is a decision in the making.
type deciding struct {
	Decision
	d       Decider
	m       Measurement
	promise backlog.Promise // with the tuning in force or chosen, and a delay by hand
	rails   backlog.Rails
	reading backlog.Reading
	enough  bool
	held    bool
}

func (d Decider) begin(m Measurement) (*deciding, error) {
	p := &deciding{
		Decision: Decision{
			By: ByFormula, Why: []string{}, Current: m.Current, Targets: m.Current, Promise: PromiseOf(d.Promise),
		},
		d: d, m: m, promise: d.Promise, reading: m.reading(),
		rails: backlog.Rails{MinimumSamples: m.MinimumSamples, MaximumFactor: m.MaximumFactor, DeadBand: DeadBand},
	}
	if err := d.Promise.Validate(); err != nil {
		return nil, err
	}
	if err := p.rails.Validate(); err != nil {
		return nil, err
	}
	p.use(d.inForce(m))
	if m.DelaySeconds > 0 {
		p.promise.AcceptableDelay = seconds(m.DelaySeconds)
	}
	p.enough = p.rails.Enough(m.Samples)
	if m.Record != nil {
		if _, holds := m.Record.Holds(m.Window.To); holds && !m.Release {
			p.held, p.HoldUntil = true, m.Record.HoldUntil
		}
		p.Since = m.Record.Since
	}
	p.trimTail()
	return p, nil
}

// inForce are the settings that targets are made with unless a choice says otherwise: those of the last retune, as long
// as the promise is the one that they were chosen for.
func (d Decider) inForce(m Measurement) Tuning {
	stack := Tuning{Headroom: d.Promise.Headroom, Utilization: d.Promise.Utilization, Bounds: d.Limits}
	if m.Bounds != nil {
		stack.Bounds = *m.Bounds
	}
	if m.Choice != ByReplay || m.Record == nil || m.Record.Tuning == nil || m.Record.Promise != PromiseOf(d.Promise) {
		return stack
	}
	tuning := *m.Record.Tuning
	tuning.Bounds = stack.Bounds
	return tuning
}

func (p *deciding) use(t Tuning) {
	p.Tuning = t
	p.promise.Headroom, p.promise.Utilization = t.Headroom, t.Utilization
}

func (p *deciding) say(format string, values ...any) {
	p.Why = append(p.Why, fmt.Sprintf(format, values...))
}

// trimTail takes the mean for what it is when a few outliers make it; see Decide.
func (p *deciding) trimTail() {
	p95 := p.m.ProcessingQuantiles["p95"]
	beyond := float64(p.m.Samples) * 0.05
	if !(p95 > 0) || p.m.ProcessingSeconds <= p95 || p.rails.Enough(int(beyond)) {
		return
	}
	p.reading.Mean = seconds(p95)
	if p.enough {
		p.say(
			"the mean of %.4g s lies above the 95th percentile, so at most %d of %d messages make it: the %.4g s that "+
				"95 %% of them did not exceed stand in",
			p.m.ProcessingSeconds,
			int(math.Ceil(beyond)),
			p.m.Samples,
			p95,
		)
	}
}

// choose asks for better settings than those in force, if that is wanted and possible.
func (p *deciding) choose(ctx context.Context, by chooser, request DecideRequest) {
	if by == nil || p.m.Choice != ByReplay || request.History == nil {
		p.returnBounds()
		return
	}
	tuning, chosen, err := by.Choose(ctx, p.m, request.History, p.Tuning)
	if err != nil {
		p.say("the choice by replay failed, so the formula speaks: %v", err)
		return
	}
	p.Choice = chosen
	if chosen != nil {
		p.By, p.Why = chosen.By, append(p.Why, chosen.Words()...)
	}
	tuning.Bounds = tuning.within(p.d.Limits)
	p.use(tuning)
	if p.d.OwnsBounds && p.m.Bounds != nil && tuning.Bounds != *p.m.Bounds {
		p.moveBounds(tuning.Bounds)
	}
}

// returnBounds gives the stack's bounds back if an earlier choice moved them and nobody chooses any more.
func (p *deciding) returnBounds() {
	if p.m.Choice == ByReplay || !p.d.OwnsBounds || p.m.Bounds == nil || *p.m.Bounds == p.d.Limits ||
		p.m.Record == nil || p.m.Record.Tuning == nil || p.m.Record.Tuning.Bounds != *p.m.Bounds {
		return
	}
	p.Tuning.Bounds = p.d.Limits
	p.moveBounds(p.d.Limits)
}

func (p *deciding) moveBounds(to Bounds) {
	p.Bounds = &to
	p.say("the bounds move from %v to %v", *p.m.Bounds, to)
}

// follow makes both targets from the measured duration, within the guard rails.
func (p *deciding) follow() error {
	proposal, err := p.rails.Propose(p.promise, backlog.Targets(p.m.Current), p.reading)
	if err != nil {
		return err
	}
	p.take(proposal)
	if p.Outcome == keptBy[backlog.NoDuration] {
		p.Bounds = nil
		return nil
	}
	if p.m.Drift.Since != nil {
		from := p.m.Window.From
		p.Since = &from
	}
	if r := p.m.Record; proposal.Change && r != nil && !p.m.recorded() && r.Promise == p.Promise {
		p.say("in force were not the targets of the last retune: somebody else set them, without a hold")
	}
	switch {
	case (proposal.Change || p.Bounds != nil) && p.m.Record.refuses(p.settings(), p.m.Window.To):
		p.say("settings like these were tried at %s and taken back, because fewer messages started in time",
			p.m.Record.Refused.At.Format(time.RFC3339))
		p.keep(outcomeRefused)
	case p.Bounds != nil:
		p.WorthChanging, p.Outcome = true, outcomeChange
	case p.Outcome == keptBy[backlog.WithinDeadBand]:
		p.recordIfUnknown()
	}
	return nil
}

// settings are those that would be in force afterwards.
func (p *deciding) settings() Settings {
	return Settings{Targets: p.Targets, Bounds: cmp.Or(p.Bounds, p.m.Bounds)}
}

// take takes over what the rails propose.
func (p *deciding) take(proposal backlog.Proposal) {
	p.ProcessingSeconds, p.Wanted = proposal.Processing.Seconds(), Targets(proposal.Wanted)
	p.WorthChanging, p.Outcome, p.Targets = proposal.Change, outcomeChange, Targets(proposal.Targets)
	p.ReferenceSeconds = p.ProcessingSeconds
	for _, bound := range proposal.Bounds {
		p.say("%s", bound.Words)
		if !proposal.Change {
			p.Outcome = keptBy[bound.Rail] // the last bound is the one that keeps the targets
		} else if bound.Rail == backlog.FactorARun {
			p.ReferenceSeconds = p.rightFor(p.Targets)
		}
	}
}

// recordIfUnknown writes the tuning record and the drift alarm where they do not fit the targets in force.
func (p *deciding) recordIfUnknown() {
	switch {
	case !p.m.recorded():
		p.say("the tuning record does not name them: it is written, so that a deployment keeps them")
	case p.m.Release && p.m.Record.HoldUntil != "":
		p.say("the targets are released")
	case p.alarmIsOff():
		p.say("the drift alarm compares with %g s: it is given %.4g s", p.m.Drift.ReferenceSeconds, p.ReferenceSeconds)
	default:
		return
	}
	p.WorthChanging, p.Outcome = true, outcomeRecord
}

// byHand sets what a person asks for. Guard rails are for measurements: only what no policy can have is refused.
func (p *deciding) byHand() error {
	p.By, p.Outcome, p.WorthChanging, p.HoldUntil = ByHand, outcomeChange, true, p.m.hold()
	p.ProcessingSeconds = p.lastKnown()
	if p.enough {
		p.ReferenceSeconds = p.ProcessingSeconds
	}
	if p.m.DelaySeconds > 0 {
		targets, err := p.promise.Targets(seconds(p.ProcessingSeconds))
		if err != nil {
			return err
		}
		p.Targets, p.Promise = Targets(targets.Rounded()), PromiseOf(p.promise)
		p.say(
			"made by hand for a delay of %g s instead of %g s",
			p.m.DelaySeconds,
			p.d.Promise.AcceptableDelay.Seconds(),
		)
	}
	if p.m.Backlog > 0 || p.m.Rate > 0 {
		p.Promise = Promise{} // they keep none that is known
	}
	if p.m.Backlog > 0 {
		p.Targets.Backlog = max(p.m.Backlog, float64(p.promise.Concurrency))
		p.say("the backlog target is set by hand to %g", p.m.Backlog)
		if p.Targets.Backlog > p.m.Backlog {
			p.say("it is raised to %d, the messages that a task works on at once", p.promise.Concurrency)
		}
	}
	if p.m.Rate > 0 {
		p.Targets.Rate = p.m.Rate
		p.say("the rate target is set by hand to %g", p.m.Rate)
	}
	p.Wanted = p.Targets
	if p.Targets == p.Current {
		p.Outcome = outcomeHold
	}
	p.say("%s", holdWords(p.HoldUntil))
	return nil
}

// keepHeld leaves held targets alone; but when an update of the stack that was rolled back wrote others, the held ones
// are put back.
func (p *deciding) keepHeld() {
	if p.enough {
		p.ProcessingSeconds = p.reading.Mean.Seconds()
		if wanted, err := p.promise.Targets(p.reading.Mean); err == nil {
			p.Wanted = Targets(wanted.Rounded())
		}
	}
	p.say("%s", holdWords(p.HoldUntil))
	if p.m.recorded() {
		p.keep(outcomeHeld)
		return
	}
	if p.m.Reason == ReasonStackUpdate {
		p.By, p.WorthChanging, p.Outcome, p.Targets = ByRecord, true, outcomeChange, p.m.Record.Targets
		p.ProcessingSeconds = p.m.Record.ProcessingSeconds
		p.say("the update of the stack wrote others: the held ones are put back")
		return
	}
	p.say("those in force are others, set by somebody else since: they are left alone too")
	p.keep(outcomeHeld)
}

func holdWords(until string) string {
	if until == UntilReleased {
		return "the targets are held until they are released"
	}
	return "the targets are held until " + until
}

// fallBack decides without enough samples: the targets of the last retune hold on, and are put back where something
// else is in force, as after an update of the stack that was rolled back.
func (p *deciding) fallBack() error {
	p.Why = []string{}
	if p.m.Rollout.InProgress {
		p.say("nothing is measured until the rollout of %s is completed", p.m.Rollout.Version)
	}
	p.say("%d samples are fewer than the minimum of %d", p.m.Samples, p.m.MinimumSamples)
	record := p.m.Record
	if record == nil {
		p.keep(keptBy[backlog.TooFewSamples])
		return nil
	}
	p.By, p.ProcessingSeconds, p.Wanted = ByRecord, record.ProcessingSeconds, record.Targets
	if record.Promise != PromiseOf(p.d.Promise) {
		targets, err := p.promise.Targets(record.Processing())
		if err != nil {
			return err
		}
		p.Wanted = Targets(targets.Rounded())
	}
	p.ReferenceSeconds = record.Reference().Seconds()
	if near(p.m.Current, p.Wanted) {
		p.keep(keptBy[backlog.TooFewSamples])
		p.recordWithoutSamples()
		return nil
	}
	p.say("the %.4g s of the last retune stand in, and those in force are not made for them", record.ProcessingSeconds)
	p.WorthChanging, p.Outcome, p.Targets = true, outcomeChange, p.Wanted
	return nil
}

// recordWithoutSamples ends a hold, and puts the drift alarm right after an update that was rolled back.
func (p *deciding) recordWithoutSamples() {
	switch {
	case p.m.Release && p.m.Record.HoldUntil != "":
		p.say("the targets are released")
	case p.alarmIsOff():
		p.say("the drift alarm compares with %g s: it is given %.4g s", p.m.Drift.ReferenceSeconds, p.ReferenceSeconds)
	default:
		return
	}
	p.WorthChanging, p.Outcome = true, outcomeRecord
}

// alarmIsOff tells whether the drift alarm compares with something else than what the targets are right for.
func (p *deciding) alarmIsOff() bool {
	reference := p.m.Drift.ReferenceSeconds
	return reference > 0 && (math.Abs(reference-p.ReferenceSeconds) > reference*2*DeadBand ||
		p.d.DriftRule.Outside(p.ReferenceSeconds, p.m.Drift.RecentSamples, reference) != 0)
}

// near tells whether targets are within the dead band of others.
func near(a, b Targets) bool {
	within := func(x, y float64) bool { return math.Abs(x-y) <= y*(DeadBand+1e-9) }
	return within(a.Backlog, b.Backlog) && within(a.Rate, b.Rate)
}

// keep leaves everything as it is.
func (p *deciding) keep(outcome string) {
	p.WorthChanging, p.Outcome, p.Targets, p.Bounds = false, outcome, p.m.Current, nil
}

// lastKnown is the best duration there is, without regard to guard rails.
func (p *deciding) lastKnown() float64 {
	switch {
	case p.enough && p.reading.Mean > 0:
		return p.reading.Mean.Seconds()
	case p.m.Record != nil:
		return p.m.Record.ProcessingSeconds
	case p.m.Drift.ReferenceSeconds > 0:
		return p.m.Drift.ReferenceSeconds
	}
	return p.rightFor(p.m.Current)
}

// rightFor is the duration that the rate target is made for: the arithmetic the other way round.
func (p *deciding) rightFor(t Targets) float64 {
	one, err := p.promise.Targets(time.Second)
	if err != nil || !(t.Rate > 0) {
		return 0
	}
	return micro(one.Rate / t.Rate)
}

func (p *deciding) conclude() Decision {
	if !p.WorthChanging && p.m.Release && p.m.Record != nil && p.m.Record.HoldUntil != "" {
		p.ProcessingSeconds = cmp.Or(p.ProcessingSeconds, p.lastKnown())
		p.say("the targets are released")
		p.WorthChanging, p.Outcome = true, outcomeRecord
	}
	d := p.Decision
	if p.enough && d.By != ByHand && !p.held && d.Outcome != outcomeRefused && d.ReferenceSeconds > 0 {
		d.StillOutside = p.d.DriftRule.still(p.m.Drift, d.ReferenceSeconds)
	}
	d.Watched = d.By == ByFormula || d.By == ByReplay
	d.Summary = d.summary()
	return d
}

// recorded tells whether the tuning record names the targets in force. It does not after a run that could not write it,
// after a deployment with another promise, and before the first run.
func (m Measurement) recorded() bool { return m.Record != nil && m.Record.Targets == m.Current }

var keptBy = map[backlog.Rail]string{
	backlog.TooFewSamples:  "too few samples",
	backlog.NoDuration:     "no duration measured",
	backlog.WithinDeadBand: "within the dead band",
}

func (d Decision) summary() string {
	switch {
	case d.Targets == d.Current && d.Bounds == nil:
		return fmt.Sprintf("kept at %g messages per task and %g messages per period and task: %s",
			d.Current.Backlog, d.Current.Rate, strings.Join(d.Why, "; "))
	case d.Targets == d.Current:
		return fmt.Sprintf("%v; the targets stay at %g messages per task and %g messages per period and task",
			*d.Bounds, d.Current.Backlog, d.Current.Rate)
	}
	text := fmt.Sprintf(
		"from %g to %g messages per task, and from %g to %g messages per period and task, for %.4g s a "+
			"message",
		d.Current.Backlog,
		d.Targets.Backlog,
		d.Current.Rate,
		d.Targets.Rate,
		d.ProcessingSeconds,
	)
	if d.Bounds != nil {
		text += fmt.Sprintf("; %v", *d.Bounds)
	}
	return text
}
