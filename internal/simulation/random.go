package simulation

import (
	"math"
	"math/rand/v2"
	"time"
)

// Streams of random numbers. Each thing that is random draws from its own, so that, for example, a policy that starts
// more tasks does not change the work of the messages.
const (
	streamArrivals uint64 = iota + 1
	streamWork
	streamGroups
	streamStartUp
	streamSpot
	streamReadings
	streamLooks
)

func stream(seed, which uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, which)) }

// lognormal draws from the lognormal distribution of that mean and coefficient of variation. A coefficient of 0 gives
// the mean.
func lognormal(r *rand.Rand, mean time.Duration, cv float64) time.Duration {
	if cv <= 0 || mean <= 0 {
		return mean
	}
	variance := math.Log1p(cv * cv)
	return time.Duration(float64(mean) * math.Exp(math.Sqrt(variance)*r.NormFloat64()-variance/2))
}

// exponential draws from the exponential distribution of that mean.
func exponential(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * r.ExpFloat64())
}
