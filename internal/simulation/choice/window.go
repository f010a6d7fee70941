package choice

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
)

// Window is a stretch of time as CloudWatch tells it, period by period, oldest first.
type Window struct {
	Period     time.Duration
	Sent       []float64       // messages sent in each period; NaN is none
	Processing []time.Duration // mean processing duration of each period; 0 or missing takes Mean
	Mean       time.Duration   // over the window
	// Durations of single messages have the shape of the Quantiles, if there are two or more, else that of a lognormal
	// distribution with the coefficient of variation CV. In both cases the mean is that of the period.
	Quantiles []Quantile
	CV        float64
}

// Quantile is a duration that a share of the messages does not exceed.
type Quantile struct {
	Share    float64 // between 0 and 1
	Duration time.Duration
}

// Load draws messages that would have been measured so: arrivals at random within each period.
func (w Window) Load(name string, seed uint64) (*simulation.Load, error) {
	switch {
	case w.Period <= 0 || len(w.Sent) == 0:
		return nil, errors.New("a window to replay needs a period and the messages sent in each")
	case w.Mean <= 0:
		return nil, fmt.Errorf("a window to replay needs a mean processing duration; it is %v", w.Mean)
	}
	arrivals := func(_ time.Duration, r *rand.Rand) []time.Duration {
		var at []time.Duration
		for i, sent := range w.Sent {
			if !math.IsNaN(sent) {
				at = simulation.Spread(at, int(math.Round(sent)), time.Duration(i)*w.Period, w.Period, r)
			}
		}
		return at
	}
	one := w.shape()
	durations := func(at time.Duration, r *rand.Rand) time.Duration {
		return max(1, time.Duration(one(at, r).Seconds()*float64(w.meanAt(at))))
	}
	return simulation.NewLoad(name, time.Duration(len(w.Sent))*w.Period, arrivals, durations, seed)
}

// newest is the end of the window, as far back as it holds so many messages.
func (w Window) newest(messages int) Window {
	sum := 0.0
	for i := len(w.Sent) - 1; i >= 0; i-- {
		if !math.IsNaN(w.Sent[i]) {
			sum += w.Sent[i]
		}
		if sum > float64(messages) {
			w.Sent = w.Sent[i+1:]
			w.Processing = w.Processing[min(i+1, len(w.Processing)):]
			return w
		}
	}
	return w
}

// shape draws durations with a mean of a second.
func (w Window) shape() simulation.Durations {
	if len(w.Quantiles) < 2 {
		return simulation.Lognormal(time.Second, min(w.CV, 5))
	}
	points := slices.Clone(w.Quantiles)
	slices.SortFunc(points, func(a, b Quantile) int { return cmp.Compare(a.Share, b.Share) })
	first, last := points[0], points[len(points)-1]
	// What lies beyond the outermost quantiles is not known: the line to the next one is drawn on.
	beyond := func(a, b Quantile, share float64) Quantile {
		if b.Share == a.Share {
			return Quantile{share, a.Duration}
		}
		slope := float64(b.Duration-a.Duration) / (b.Share - a.Share)
		return Quantile{share, max(1, a.Duration+time.Duration(slope*(share-a.Share)))}
	}
	if first.Share > 0 {
		points = slices.Insert(points, 0, beyond(first, points[1], 0))
	}
	if last.Share < 1 {
		points = append(points, beyond(points[len(points)-2], last, 1))
	}
	mean := 0.0
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		mean += (b.Share - a.Share) * float64(a.Duration+b.Duration) / 2
	}
	return func(_ time.Duration, r *rand.Rand) time.Duration {
		at := points[0].Share + r.Float64()*(points[len(points)-1].Share-points[0].Share)
		i, _ := slices.BinarySearchFunc(points, at, func(q Quantile, at float64) int {
			return cmp.Compare(q.Share, at)
		})
		i = min(max(i, 1), len(points)-1)
		a, b := points[i-1], points[i]
		value := float64(a.Duration)
		if b.Share > a.Share {
			value += float64(b.Duration-a.Duration) * (at - a.Share) / (b.Share - a.Share)
		}
		return max(1, time.Duration(value/mean*float64(time.Second)))
	}
}

// meanAt is the mean duration around a moment. A period without a completed message, or with few, is no measure: the
// mean of the hour stands in.
func (w Window) meanAt(at time.Duration) time.Duration {
	if i := int(at / w.Period); i < len(w.Processing) && w.Processing[i] > 0 {
		return w.Processing[i]
	}
	return w.Mean
}
