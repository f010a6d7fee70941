package backlog

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Processing durations outside this range are not believed: a mean below a millisecond is a worker that measures the
// wrong thing or nothing, and no message can be kept in flight for longer than 12 hours (SQS's longest visibility
// timeout).
const (
	ShortestProcessing = time.Millisecond
	LongestProcessing  = 12 * time.Hour
)

// Limits of the Rails.
const (
	LeastFactor = 1.1
	MostFactor  = 1000
	MostSamples = 1_000_000_000
)

// Rails bound what one run may do to the targets.
type Rails struct {
	// MinimumSamples that a mean must rest on. From 1 to MostSamples.
	MinimumSamples int
	// MaximumFactor by which a run may multiply or divide a target. From LeastFactor to MostFactor.
	MaximumFactor float64
	// DeadBand is the relative change of both targets up to which nothing is changed. From 0 to less than 1; a design
	// value is 0.05.
	DeadBand float64
}

// Reading is a measured processing duration.
type Reading struct {
	Samples int           // number of messages behind the mean
	Mean    time.Duration // of the processing duration, weighted by samples
}

// Rail names a guard rail.
type Rail string

// The guard rails, in the order in which they are looked at.
const (
	TooFewSamples  Rail = "too few samples" // nothing changes
	NoDuration     Rail = "no duration"     // nothing changes: the mean is not more than 0
	Clamp          Rail = "clamp"           // the mean or a target is moved into its possible range
	FactorARun     Rail = "factor a run"    // a target moves only part of the way
	WithinDeadBand Rail = "dead band"       // nothing changes
)

// Bound is a guard rail that acted.
type Bound struct {
	Rail  Rail
	Words string // one sentence without a full stop, with the numbers
}

// Proposal is the outcome of Propose.
type Proposal struct {
	// Processing is the duration that the proposal is made for: the mean, in its possible range; zero if there is no
	// usable reading.
	Processing time.Duration
	// Wanted is what the arithmetic alone asks for; zero if there is no usable reading.
	Wanted Targets
	// Targets are the ones to apply; the current ones if Change is false.
	Targets Targets
	// Change tells whether the targets are worth writing.
	Change bool
	// Bounds that acted, in the order in which they did. Empty if the wanted targets are applied as they are.
	Bounds []Bound
}

// Validate reports every field that is out of range, as a join of *ValueError.
func (r Rails) Validate() error {
	return errors.Join(
		checkNumber("minimum of samples", float64(r.MinimumSamples),
			r.MinimumSamples >= 1 && r.MinimumSamples <= MostSamples, fmt.Sprintf("1 to %d", MostSamples)),
		checkNumber("maximum factor", r.MaximumFactor,
			r.MaximumFactor >= LeastFactor && r.MaximumFactor <= MostFactor,
			fmt.Sprintf("%g to %d", LeastFactor, MostFactor)),
		checkNumber("dead band", r.DeadBand, r.DeadBand >= 0 && r.DeadBand < 1, "0 to less than 1"),
	)
}

// Enough tells whether a mean rests on enough samples.
func (r Rails) Enough(samples int) bool { return samples >= r.MinimumSamples }

// Propose decides how the current targets should follow a reading. It changes both or none: they are made for the same
// processing duration. A current target that is 0 or less, which no policy of this project has, is replaced without
// regard to the factor. Errors are *ValueError, about the Promise or the Rails; a strange reading is no error but a
// Bound.
func (r Rails) Propose(p Promise, current Targets, reading Reading) (Proposal, error) {
	if err := errors.Join(p.Validate(), r.Validate()); err != nil {
		return Proposal{}, err
	}
	proposal := Proposal{Targets: current}
	if !r.Enough(reading.Samples) {
		proposal.bound(TooFewSamples, "%d samples are fewer than the minimum of %d",
			reading.Samples, r.MinimumSamples)
		return proposal, nil
	}
	if reading.Mean <= 0 {
		proposal.bound(NoDuration, "a mean processing duration of %v is no measurement; look at what the worker "+
			"publishes", reading.Mean)
		return proposal, nil
	}
	mean := min(max(reading.Mean, ShortestProcessing), LongestProcessing)
	if mean != reading.Mean {
		proposal.bound(Clamp, "the mean processing duration of %v is taken as %v", reading.Mean, mean)
	}
	wanted, err := p.Targets(mean)
	if err != nil {
		return Proposal{}, err
	}
	proposal.Processing, proposal.Wanted = mean, wanted.Rounded()
	next := Targets{
		Backlog: r.limit(&proposal, "backlog", current.Backlog, proposal.Wanted.Backlog),
		Rate:    r.limit(&proposal, "rate", current.Rate, proposal.Wanted.Rate),
	}
	if least := float64(p.Concurrency); next.Backlog < least {
		proposal.bound(Clamp, "the backlog target is raised from %g to the %d messages that a task works on",
			next.Backlog, p.Concurrency)
		next.Backlog = least
	}
	if r.within(current.Backlog, next.Backlog) && r.within(current.Rate, next.Rate) {
		proposal.bound(WithinDeadBand, "both targets would change by at most %g %%", r.DeadBand*100)
		return proposal, nil
	}
	proposal.Targets, proposal.Change = next, true
	return proposal, nil
}

// limit moves a target from its current to the wanted value, but at most by the factor.
func (r Rails) limit(p *Proposal, name string, current, wanted float64) float64 {
	if !(current > 0) || math.IsInf(current, 1) {
		return wanted
	}
	limited := min(max(wanted, current/r.MaximumFactor), current*r.MaximumFactor)
	if limited == wanted {
		return wanted
	}
	limited = significant(limited, 10) // 13.2, not 13.200000000000001
	p.bound(FactorARun, "the %s target moves from %g only to %g on its way to %g: at most a factor of %g a run",
		name, current, limited, wanted, r.MaximumFactor)
	return limited
}

func (r Rails) within(current, next float64) bool {
	// The tolerance makes a change of exactly the dead band a change within it, whatever binary fractions do.
	return math.Abs(next-current) <= current*(r.DeadBand+1e-9)
}

func (p *Proposal) bound(rail Rail, format string, values ...any) {
	p.Bounds = append(p.Bounds, Bound{Rail: rail, Words: fmt.Sprintf(format, values...)})
}
