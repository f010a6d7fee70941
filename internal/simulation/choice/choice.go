// Package choice chooses the settings of this project's policies by replaying what was measured.
//
// It answers one question: had the last hours been run with other settings, which would have kept the promise at the
// least cost? It is pure, and small enough for a Lambda function: at most 30 replays, 24 hours of 100 messages a minute
// in about a second, and no more than so many messages in all.
//
// # The search
//
// Each setting has a short ladder of values: utilisation, headroom, minimum and maximum tasks. The ladders of the
// bounds are made of the least fixed count that would have kept the promise in the window; the maximum is never less
// than four times that, and only below its limit where that saves a tenth, because the next hours may bring more than
// the last. There are two starts: the settings in force,
// and the same with that fixed count as minimum. From the better one, and then from the other unless it is far
// behind, the search goes one rung up or down in one setting at a time and stays where it is better, until nothing
// near is better or the replays are used up.
//
// # What is better
//
// Less task-hours, and fewer messages that start late. A message in a hundred that is late counts like [lateAbove] in a
// hundred of the cost as long as the promise is kept with its margin, because the hours to come are not those that were
// measured and what only just keeps the promise will not; and like [lateBelow] more in a hundred where it is not kept.
// So a promise that the load allows is kept, and one that it does not allow is not chased at any price. Where all
// settings miss it by [outOfReach] or more, what is late is late for its bursts, of which the next is another one: then
// a choice made from the last ones does harm, and the settings of the template hold.
//
// How fast target tracking scales in on AWS is not known, and changes results most. So the winner is replayed at the
// other pace too. If it does not keep the promise there, the next best get their turn, and the one that is best at both
// paces wins.
package choice

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// MostReplays is how many replays a choice takes at most.
const MostReplays = 30

// What the replays of a choice may work on in all, so that it takes seconds: about 5 on a processor of 2026. The newest
// mostMessages are replayed, and the more they are the fewer times.
const (
	mostMessages = 1_200_000
	mostReplayed = 12_000_000
)

// DefaultKeep is the share of the messages that are to start within the delay, and DefaultMargin how much more a replay
// must show, because tomorrow is not today.
const (
	DefaultKeep   = 0.95
	DefaultMargin = 0.01
)

// Request is what a choice is made from.
type Request struct {
	Window Window
	// Tuning holds the settings in force and the cooldowns.
	Tuning policy.Project
	Bounds tracking.Bounds // in force
	// Base are the settings that somebody gave who did not know the load: those of the template. They are returned to
	// where no settings come near the promise.
	Base policy.Settings
	// Limits that the bounds must stay within: MinTasks and MaxTasks of the template.
	Limits tracking.Bounds
	// KeepBounds leaves the bounds as they are: somebody else moves them.
	KeepBounds bool

	Delay       time.Duration // the promise
	Concurrency int           // 0 is 1
	// Keep is the share of the messages that must start within the delay, and Margin how much more a replay must show.
	Keep, Margin float64
	// Replays is how many there may be; 0 is MostReplays.
	Replays     int
	Assumptions simulation.Assumptions
	Seed        uint64
}

// Candidate is a replay.
type Candidate struct {
	policy.Settings
	Pace      tracking.Pace
	Kept      float64
	TaskHours float64
}

// Choice is the outcome.
type Choice struct {
	policy.Settings
	// Better tells that the settings are chosen by replay. Otherwise they are those in force, and Reason says why.
	Better bool
	Keeps  bool // the promise, with its margin, in the replay
	// OutOfReach tells that no settings came near the promise, so that those of the template hold. Then Kept is the
	// most that any kept, and TaskHours are those of the settings in force.
	OutOfReach bool
	Reason     string
	Kept       float64       // by the settings, in the replay
	TaskHours  float64       // of the settings, in the replay
	FixedTasks int           // the least fixed count that would have kept the promise
	Span       time.Duration // that was replayed
	Candidates []Candidate   // every replay, in its order
}

// Choose makes the choice. Errors are about the request.
func Choose(ctx context.Context, r Request) (Choice, error) {
	s, err := newSearch(ctx, r)
	if err != nil {
		return Choice{}, err
	}
	starts := s.starts()
	first, err := s.improves(starts[1], starts[0])
	if err != nil {
		return Choice{}, err
	}
	if first {
		slices.Reverse(starts)
	}
	if err := s.climb(starts[0]); err != nil {
		return Choice{}, err
	}
	if s.promising(starts[1]) {
		if err := s.climb(starts[1]); err != nil {
			return Choice{}, err
		}
	}
	return s.conclude()
}

// Policy is this project as it is deployed by default: its settings are chosen at each hourly retune by replaying the
// window before it.
func Policy(tuning policy.Project, window time.Duration) simulation.Policy {
	tuning.Label = "project"
	tuning.Choose = func(c *simulation.Control, now policy.Settings) (policy.Settings, error) {
		known := c.Scenario()
		sent, processing := c.History(window)
		measured := c.Measured(window)
		if measured.Samples < tuning.Retune.Rails.MinimumSamples {
			return now, nil
		}
		current := tuning
		current.Headroom, current.Utilization = now.Headroom, now.Utilization
		chosen, err := Choose(context.Background(), Request{
			Window: Window{
				Period:     known.Assumptions.Period(),
				Sent:       sent,
				Processing: processing,
				Mean:       measured.Mean,
				CV:         measured.CV,
			},
			Tuning: current,
			Bounds: now.Bounds,
			Base: policy.Settings{
				Headroom: tuning.Headroom, Utilization: tuning.Utilization, Bounds: known.Bounds,
			},
			Limits:      known.Bounds,
			Delay:       known.Delay,
			Concurrency: known.Concurrency,
			Keep:        DefaultKeep,
			Margin:      DefaultMargin,
			Assumptions: known.Assumptions,
			Seed:        known.Seed,
		})
		return chosen.Settings, err
	}
	return tuning
}

// ladders are the values that each setting may take, ascending.
type ladders struct {
	utilization, headroom []float64
	floor, ceiling        []int
}

// point is a rung on each ladder.
type point [4]int

const (
	utilization = iota
	headroom
	floor
	ceiling
)

type search struct {
	ctx     context.Context
	request Request
	load    *simulation.Load
	fixed   int
	ladders ladders
	seen    map[point]int // index into found
	found   []Candidate
	left    int // replays
}

func newSearch(ctx context.Context, r Request) (*search, error) {
	r.Window = r.Window.newest(mostMessages)
	load, err := r.Window.Load("window", r.Seed)
	if err != nil {
		return nil, err
	}
	r.Concurrency = max(1, r.Concurrency)
	if r.Replays == 0 {
		r.Replays = MostReplays
	}
	if r.Limits.Max < max(1, r.Limits.Min) || r.Keep <= 0 || r.Keep > 1 || r.Delay <= 0 {
		return nil, fmt.Errorf("a choice within %d to %d tasks that keeps a share of %v within %v: that cannot be",
			r.Limits.Min, r.Limits.Max, r.Keep, r.Delay)
	}
	r.Replays = min(r.Replays, mostReplayed/len(load.At))
	s := &search{ctx: ctx, request: r, load: load, seen: map[point]int{}, left: r.Replays}
	s.fixed, _ = simulation.BestFixed(load, r.Delay, r.Concurrency, min(1, r.Keep+r.Margin))
	s.ladders = s.makeLadders()
	return s, nil
}

func (s *search) makeLadders() ladders {
	r := s.request
	l := ladders{
		utilization: ascending([]float64{0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.95, r.Tuning.Utilization}),
		headroom:    ascending([]float64{0.5, 1, 2, 4, 8, r.Tuning.Headroom}),
		floor:       []int{r.Bounds.Min},
		ceiling:     []int{r.Bounds.Max},
	}
	if r.KeepBounds {
		return l
	}
	l.floor, l.ceiling = append(l.floor, r.Limits.Min), append(l.ceiling, r.Limits.Max)
	for _, share := range []float64{0.25, 0.5, 0.7, 0.85, 1, 1.15} {
		l.floor = append(l.floor, int(math.Ceil(share*float64(s.fixed))))
	}
	l.ceiling = append(l.ceiling, leastCeiling*s.fixed)
	within := func(n int) int { return min(max(n, r.Limits.Min), r.Limits.Max) }
	for i := range l.floor {
		l.floor[i] = within(l.floor[i])
	}
	for i := range l.ceiling {
		l.ceiling[i] = max(1, within(max(l.ceiling[i], leastCeiling*s.fixed)))
	}
	l.floor, l.ceiling = ascending(l.floor), ascending(l.ceiling)
	return l
}

func ascending[T int | float64](values []T) []T {
	slices.Sort(values)
	return slices.Compact(values)
}

// starts are the settings in force, and the same with the fixed count as minimum.
func (s *search) starts() []point {
	r := s.request
	current := point{
		utilization: index(s.ladders.utilization, r.Tuning.Utilization),
		headroom:    index(s.ladders.headroom, r.Tuning.Headroom),
		floor:       index(s.ladders.floor, min(max(r.Bounds.Min, r.Limits.Min), r.Limits.Max)),
		ceiling:     index(s.ladders.ceiling, max(1, min(max(r.Bounds.Max, r.Limits.Min), r.Limits.Max))),
	}
	safe := current
	safe[floor] = index(s.ladders.floor, min(max(s.fixed, r.Limits.Min), r.Limits.Max))
	safe[ceiling] = len(s.ladders.ceiling) - 1
	return []point{current, safe}
}

func index[T int | float64](ladder []T, value T) int {
	at, _ := slices.BinarySearch(ladder, value)
	return min(at, len(ladder)-1)
}

// climb goes from a start, which was replayed, to a place where nothing near is better.
func (s *search) climb(here point) error {
	for moved := true; moved && s.left > s.reserve(); {
		moved = false
		for setting := range here {
			for _, step := range []int{-1, 1} {
				there := here
				there[setting] += step
				if !s.exists(there) || s.left <= s.reserve() {
					continue
				}
				better, err := s.improves(there, here)
				if err != nil {
					return err
				}
				if better {
					here, moved = there, true
					break
				}
			}
		}
	}
	return nil
}

// promising tells whether it is worth climbing from a start that was replayed: it is not far behind the best so far.
func (s *search) promising(start point) bool {
	c, best := s.found[s.seen[start]], s.found[0]
	for _, other := range s.found {
		if s.better(other, best) {
			best = other
		}
	}
	return best.Kept < s.goal() || s.price(c) < s.price(best)+math.Log(1.25)
}

// reserve is what is kept for the other pace of scale-in.
func (s *search) reserve() int { return min(4, s.request.Replays/4) }

func (s *search) exists(p point) bool {
	sizes := [4]int{len(s.ladders.utilization), len(s.ladders.headroom), len(s.ladders.floor), len(s.ladders.ceiling)}
	for setting, rung := range p {
		if rung < 0 || rung >= sizes[setting] {
			return false
		}
	}
	return s.ladders.floor[p[floor]] <= s.ladders.ceiling[p[ceiling]]
}

func (s *search) improves(there, here point) (bool, error) {
	b, err := s.replay(here)
	if err != nil {
		return false, err
	}
	a, err := s.replay(there)
	return s.better(a, b), err
}

// leastCeiling is how many times the fixed count that would have kept the promise the maximum is at least, and
// lowCeiling what a maximum below its limit must save, on the scale of prices.
const (
	leastCeiling = 4
	lowCeiling   = 0.1
)

// What a late message counts: see the comment of the package.
const (
	lateAbove = 5
	lateBelow = 10
)

// price is what a candidate costs, late messages included, on a logarithmic scale.
func (s *search) price(c Candidate) float64 {
	price := math.Log(c.TaskHours) + lateAbove*(1-c.Kept) + lateBelow*max(0, s.goal()-c.Kept)
	if c.Bounds.Max < s.request.Limits.Max && !s.request.KeepBounds {
		price += lowCeiling
	}
	return price
}

func (s *search) goal() float64 { return s.request.Keep + s.request.Margin }

// better orders candidates.
func (s *search) better(a, b Candidate) bool { return s.price(a) < s.price(b) }

// replay returns the candidate of a point, once replayed.
func (s *search) replay(p point) (Candidate, error) {
	if at, ok := s.seen[p]; ok {
		return s.found[at], nil
	}
	settings := policy.Settings{
		Headroom:    s.ladders.headroom[p[headroom]],
		Utilization: s.ladders.utilization[p[utilization]],
		Bounds:      tracking.Bounds{Min: s.ladders.floor[p[floor]], Max: s.ladders.ceiling[p[ceiling]]},
	}
	c, err := s.run(settings, s.request.Assumptions.Tracking.ScaleInPace)
	if err == nil {
		s.seen[p] = len(s.found) - 1
	}
	return c, err
}

// run replays the window with settings whose targets fit each moment, as a retune keeps them.
func (s *search) run(settings policy.Settings, pace tracking.Pace) (Candidate, error) {
	r := s.request
	tuning := r.Tuning
	tuning.Headroom, tuning.Utilization, tuning.Choose = settings.Headroom, settings.Utilization, nil
	assumptions := r.Assumptions
	assumptions.Tracking.ScaleInPace = pace
	result, err := simulation.Run(s.ctx, simulation.Scenario{
		Load: s.load, Assumptions: assumptions, Delay: r.Delay, Processing: r.Window.Mean, Concurrency: r.Concurrency,
		Bounds: settings.Bounds, Seed: r.Seed,
	}, tuning)
	if err != nil {
		return Candidate{}, err
	}
	s.left--
	c := Candidate{Settings: settings, Pace: pace, Kept: result.Kept(), TaskHours: result.TaskHours()}
	s.found = append(s.found, c)
	return c, nil
}

// worth is by how much, on the scale of prices, other settings must be better than those in force: about a hundredth.
const worth = 0.01

// conclude replays the best candidates at the other pace of scale-in too, and takes the one that is best at both. The
// first one does if it keeps the promise there.
func (s *search) conclude() (Choice, error) {
	current := s.found[0]
	ranked := slices.Clone(s.found)
	slices.SortStableFunc(ranked, func(a, b Candidate) int { return cmp.Compare(s.price(a), s.price(b)) })
	best, least := current, math.Inf(1)
	for _, c := range ranked {
		if s.left == 0 {
			break
		}
		elsewhere, err := s.run(c.Settings, otherPace(c.Pace))
		if err != nil {
			return Choice{}, err
		}
		if both := s.price(c) + s.price(elsewhere); both < least {
			best, least = c, both
		}
		if c.Kept >= s.goal() && elsewhere.Kept >= s.request.Keep {
			break
		}
	}
	if s.price(best) > s.price(current)-worth {
		best = current
	}
	if most := s.most(); most < s.request.Keep-outOfReach {
		return s.giveUp(most), nil
	}
	out := Choice{
		Settings: best.Settings, Better: best.Settings != current.Settings, Keeps: best.Kept >= s.goal(),
		Kept: best.Kept, TaskHours: best.TaskHours,
		FixedTasks: s.fixed, Span: s.load.Length, Candidates: s.found,
	}
	out.Reason = s.reason(out)
	return out, nil
}

// outOfReach is by how much the best settings must miss the promise for the choice to give up.
const outOfReach = 0.1

// most is the largest share that any candidate kept.
func (s *search) most() float64 {
	most := 0.0
	for _, c := range s.found {
		most = max(most, c.Kept)
	}
	return most
}

// giveUp returns to the settings of the template.
func (s *search) giveUp(most float64) Choice {
	base := s.request.Base
	if s.request.KeepBounds {
		base.Bounds = s.request.Bounds
	}
	return Choice{
		Settings: base, Better: base != s.found[0].Settings, Kept: most, TaskHours: s.found[0].TaskHours,
		FixedTasks: s.fixed, Span: s.load.Length, Candidates: s.found, OutOfReach: true,
		Reason: fmt.Sprintf("no settings of %d replays keep more than %.1f %% of the last %v: those of the template "+
			"hold", len(s.found), 100*most, s.load.Length),
	}
}

func (s *search) reason(c Choice) string {
	keeps := fmt.Sprintf(
		"would have kept %.1f %% of the last %v for %.1f task-hours",
		100*c.Kept,
		c.Span,
		c.TaskHours,
	)
	switch tried := fmt.Sprintf(" of %d replays", len(s.found)); {
	case !c.Better && c.Kept >= s.goal():
		return "no other settings" + tried + " are much better than those in force: they " + keeps
	case c.Kept < s.goal():
		return "no settings" + tried + " keep the promise for this load at a reasonable cost; these are the best: " +
			"they " + keeps
	default:
		return "the best" + tried + ": they " + keeps
	}
}

func otherPace(p tracking.Pace) tracking.Pace {
	if p == tracking.OneAtATime {
		return tracking.Proportional
	}
	return tracking.OneAtATime
}
