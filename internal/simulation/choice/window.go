package choice

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
)

// Window is a stretch of time as CloudWatch tells it, period by period, oldest first.
type Window struct {
	Period     time.Duration
	Sent       []float64       // messages sent in each period; NaN is none
	Processing []time.Duration // mean processing duration of each period; 0 or missing takes Mean
	Mean       time.Duration   // over the window
	CV         float64         // coefficient of variation of the durations of single messages
}

// Load draws messages that would have been measured so: arrivals at random within each period, durations lognormal.
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
	one := simulation.Lognormal(time.Second, min(w.CV, 5))
	durations := func(at time.Duration, r *rand.Rand) time.Duration {
		return max(1, time.Duration(one(at, r).Seconds()*float64(w.meanAt(at))))
	}
	return simulation.NewLoad(name, time.Duration(len(w.Sent))*w.Period, arrivals, durations, seed)
}

// meanAt is the mean duration around a moment. A period without a completed message, or with few, is no measure: the
// mean of the hour stands in.
func (w Window) meanAt(at time.Duration) time.Duration {
	if i := int(at / w.Period); i < len(w.Processing) && w.Processing[i] > 0 {
		return w.Processing[i]
	}
	return w.Mean
}
