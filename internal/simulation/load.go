package simulation

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"sqs-dynamic-target-tracking/internal/trace"
)

// Load is what arrives. It is made once and shared by every run that is compared; nothing changes it.
type Load struct {
	Name   string
	Length time.Duration   // of the time that is judged and paid for; arrivals lie before its end
	At     []time.Duration // when each message was sent, since the start, ascending
	Work   []time.Duration // how long a worker takes for it, more than 0
	Group  []int32         // message group of each message in a FIFO queue; nil is a standard queue
}

// Validate reports the first thing about the load that cannot be.
func (l *Load) Validate() error {
	switch {
	case len(l.At) == 0:
		return fmt.Errorf("load %s has no message", l.Name)
	case len(l.At) > math.MaxInt32:
		return fmt.Errorf("load %s has %d messages; at most %d can be simulated", l.Name, len(l.At), math.MaxInt32)
	case len(l.Work) != len(l.At) || l.Group != nil && len(l.Group) != len(l.At):
		return fmt.Errorf("load %s: %d arrivals, %d durations, %d groups: there must be one for each message",
			l.Name, len(l.At), len(l.Work), len(l.Group))
	case l.At[0] < 0 || l.At[len(l.At)-1] > l.Length || !slices.IsSorted(l.At):
		return fmt.Errorf("load %s: arrivals must ascend within 0 and its length of %v", l.Name, l.Length)
	case slices.Min(l.Work) <= 0:
		return fmt.Errorf("load %s: a processing duration of %v; it must be more than 0", l.Name, slices.Min(l.Work))
	}
	return nil
}

// TotalWork is the sum of all processing durations.
func (l *Load) TotalWork() time.Duration {
	var sum time.Duration
	for _, work := range l.Work {
		sum += work
	}
	return sum
}

// MeanWork is the mean processing duration.
func (l *Load) MeanWork() time.Duration {
	return time.Duration(float64(l.TotalWork()) / float64(max(1, len(l.Work))))
}

// MeanDemand is how many messages are being worked on at a time on average, if none has to wait.
func (l *Load) MeanDemand() float64 { return l.TotalWork().Seconds() / l.Length.Seconds() }

// Arrivals makes the moments of arrival within a length of time, ascending.
type Arrivals func(length time.Duration, r *rand.Rand) []time.Duration

// Durations draws the work of a message that arrives at a moment.
type Durations func(at time.Duration, r *rand.Rand) time.Duration

// NewLoad draws a load. The same seed gives the same load.
func NewLoad(name string, length time.Duration, arrivals Arrivals, durations Durations, seed uint64) (*Load, error) {
	if length <= 0 {
		return nil, fmt.Errorf("a load of length %v: give it some time", length)
	}
	l := &Load{Name: name, Length: length, At: arrivals(length, stream(seed, streamArrivals))}
	l.Work = make([]time.Duration, len(l.At))
	random := stream(seed, streamWork)
	for i, at := range l.At {
		l.Work[i] = durations(at, random)
	}
	return l, l.Validate()
}

// Grouped gives each message one of n message groups, drawn evenly: the load of a FIFO queue.
func (l *Load) Grouped(n int, seed uint64) *Load {
	grouped := *l
	grouped.Group = make([]int32, len(l.At))
	random := stream(seed, streamGroups)
	for i := range grouped.Group {
		grouped.Group[i] = random.Int32N(int32(n))
	}
	return &grouped
}

// Constant arrives evenly spaced.
func Constant(perMinute float64) Arrivals {
	return func(length time.Duration, _ *rand.Rand) []time.Duration {
		return spaced(length, float64(time.Minute)/perMinute, 1)
	}
}

// Burst sends n messages at once, each time the interval has passed, beginning at 0: the blueprint's producer.
func Burst(n int, interval time.Duration) Arrivals {
	return func(length time.Duration, _ *rand.Rand) []time.Duration { return spaced(length, float64(interval), n) }
}

func spaced(length time.Duration, gap float64, n int) []time.Duration {
	times := int(math.Ceil(float64(length) / gap))
	at := make([]time.Duration, 0, times*n)
	for i := range times {
		for range n {
			at = append(at, time.Duration(float64(i)*gap))
		}
	}
	return at
}

// Poisson arrives at random with a constant rate.
func Poisson(perMinute float64) Arrivals {
	return varying(perMinute, func(time.Duration) float64 { return 1 })
}

// Diurnal arrives at random with a rate that swings around its mean once a day (or another length of day): swing 0.5
// goes from half to one and a half times the mean, beginning at the lowest.
func Diurnal(perMinute, swing float64, day time.Duration) Arrivals {
	most := 1 + swing
	return varying(perMinute*most, func(at time.Duration) float64 {
		return (1 - swing*math.Cos(2*math.Pi*float64(at)/float64(day))) / most
	})
}

// OnOff arrives at random at a rate for a time, then not at all for a time, beginning with on.
func OnOff(perMinute float64, on, off time.Duration) Arrivals {
	return varying(perMinute, func(at time.Duration) float64 {
		if at%(on+off) < on {
			return 1
		}
		return 0
	})
}

// varying thins a Poisson process of the highest rate to the share of it that holds at each moment.
func varying(highest float64, share func(time.Duration) float64) Arrivals {
	return func(length time.Duration, r *rand.Rand) []time.Duration {
		mean := time.Duration(float64(time.Minute) / highest)
		at := make([]time.Duration, 0, int(float64(length)/float64(mean)*1.05))
		for now := exponential(r, mean); now < length; now += exponential(r, mean) {
			if s := share(now); s >= 1 || r.Float64() < s {
				at = append(at, now)
			}
		}
		return at
	}
}

// FromTrace spreads the arrivals of each bin at random over the bin, repeating the trace until the length is reached.
func FromTrace(t trace.Trace) Arrivals {
	return func(length time.Duration, r *rand.Rand) []time.Duration {
		at := make([]time.Duration, 0, int(float64(t.Total())*(float64(length)/float64(t.Length())+1)))
		for start, bin := time.Duration(0), 0; start < length; start, bin = start+t.Step, bin+1 {
			at = Spread(at, t.Bins[bin%len(t.Bins)], start, t.Step, r)
		}
		end, _ := slices.BinarySearch(at, length)
		return at[:end]
	}
}

// Spread appends n moments drawn evenly from a stretch of time, in order: sums of exponential gaps, scaled to the
// stretch, are distributed like sorted uniform draws and need no sorting.
func Spread(at []time.Duration, n int, start, length time.Duration, r *rand.Rand) []time.Duration {
	first := len(at)
	sum := 0.0
	for range n {
		sum += r.ExpFloat64()
		at = append(at, time.Duration(sum*float64(time.Hour)))
	}
	sum += r.ExpFloat64()
	scale := float64(length) / (sum * float64(time.Hour))
	for i := first; i < len(at); i++ {
		at[i] = start + min(time.Duration(float64(at[i])*scale), length-1)
	}
	return at
}

// Fixed work for each message.
func Fixed(work time.Duration) Durations {
	return func(time.Duration, *rand.Rand) time.Duration { return work }
}

// Lognormal work of that mean and coefficient of variation.
func Lognormal(mean time.Duration, cv float64) Durations {
	return func(_ time.Duration, r *rand.Rand) time.Duration { return max(1, lognormal(r, mean, cv)) }
}

// Empirical draws the work from measured durations.
func Empirical(measured []time.Duration) Durations {
	return func(_ time.Duration, r *rand.Rand) time.Duration { return measured[r.IntN(len(measured))] }
}

// DriftPoint says by which factor the work is larger from a moment on.
type DriftPoint struct {
	At     time.Duration
	Factor float64
}

// Drifting multiplies the work by a factor that runs in straight lines between the points, and is constant before the
// first and after the last. Two points close together make a step.
func Drifting(work Durations, points []DriftPoint) Durations {
	return func(at time.Duration, r *rand.Rand) time.Duration {
		return max(1, time.Duration(float64(work(at, r))*factorAt(points, at)))
	}
}

func factorAt(points []DriftPoint, at time.Duration) float64 {
	if len(points) == 0 {
		return 1
	}
	next, found := slices.BinarySearchFunc(
		points,
		at,
		func(p DriftPoint, at time.Duration) int { return int(p.At - at) },
	)
	switch {
	case next == 0 || found:
		return points[next].Factor
	case next == len(points):
		return points[next-1].Factor
	}
	a, b := points[next-1], points[next]
	return a.Factor + (b.Factor-a.Factor)*float64(at-a.At)/float64(b.At-a.At)
}

// Requests is a load of single requests, each with its own work. Length 0 ends it with the last request.
func Requests(name string, at, work []time.Duration, length time.Duration) (*Load, error) {
	if len(at) == 0 {
		return nil, errors.New("a load of requests needs at least one")
	}
	if length == 0 {
		length = at[len(at)-1] + 1
	}
	l := &Load{Name: name, Length: length, At: at, Work: work}
	return l, l.Validate()
}
