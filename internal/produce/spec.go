package produce

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
)

// LongestDuration of a message in seconds: SQS keeps a message in flight for at most 12 hours.
const LongestDuration = 12 * 60 * 60

// MostSeed is the largest seed. Any JSON number type between the steps holds it exactly.
const MostSeed = math.MaxInt32

// Distribution of the durations of messages.
type Distribution string

// Distributions. All have the mean Spec.DurationSeconds.
const (
	Fixed       Distribution = "fixed"
	Exponential Distribution = "exponential"
	Lognormal   Distribution = "lognormal" // with the coefficient of variation Spec.CV
)

// TraceBin is the part of an arrival trace that an execution plays.
type TraceBin struct {
	Name          string  `json:"name"`
	OffsetSeconds float64 `json:"offsetSeconds"` // start of the bin since the start of the trace
	Arrivals      int     `json:"arrivals"`
}

// Spec describes all messages of an execution.
type Spec struct {
	Messages        int          `json:"messages"`
	IDPrefix        string       `json:"idPrefix"` // unique to the execution
	Distribution    Distribution `json:"distribution"`
	DurationSeconds float64      `json:"durationSeconds"` // mean
	CV              float64      `json:"cv,omitempty"`    // standard deviation / mean, of Lognormal
	Seed            int          `json:"seed,omitempty"`  // of the random distributions; 0 to MostSeed
	Trace           *TraceBin    `json:"trace,omitempty"`
}

// Message is one job for the worker.
type Message struct {
	ID       string  `json:"id"`
	Duration float64 `json:"duration"` // seconds that its processing takes
}

// Body is the message as the worker reads it from the queue.
func (m Message) Body() string {
	body, err := json.Marshal(m)
	if err != nil {
		panic(err) // a string and a finite number always encode; Duration is made finite by Spec
	}
	return string(body)
}

// Message returns the message with that index, from 0.
func (s Spec) Message(index int) Message {
	return Message{ID: fmt.Sprintf("%s-%d", s.IDPrefix, index), Duration: s.duration(index)}
}

// duration is a pure function of the spec and the index, so that a range that is sent again is the same range.
func (s Spec) duration(index int) float64 {
	var seconds float64
	switch s.Distribution {
	case Exponential:
		seconds = -s.DurationSeconds * math.Log(uniform(s.Seed, index))
	case Lognormal:
		// For X = exp(mu + sigma*Z): mean = exp(mu + sigma²/2) and cv² = exp(sigma²) - 1.
		variance := math.Log1p(s.CV * s.CV)
		normal := math.Sqrt2 * math.Erfinv(2*uniform(s.Seed, index)-1)
		seconds = s.DurationSeconds * math.Exp(math.Sqrt(variance)*normal-variance/2)
	default:
		seconds = s.DurationSeconds
	}
	return math.Round(min(seconds, LongestDuration)*1e6) / 1e6 // whole microseconds: short in the message
}

// uniform is the number of a random sequence at that index, within (0, 1). It is the generator SplitMix64 (G. Steele,
// D. Lea and C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), whose n-th output can be
// computed without those before. The seed is scrambled first, or neighbouring seeds would give shifted copies of one
// sequence.
func uniform(seed, index int) float64 {
	const golden = 0x9e3779b97f4a7c15
	bits := mix(mix(uint64(seed)+golden) + (uint64(index)+1)*golden)
	return (float64(bits>>11) + 0.5) / (1 << 53)
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// identity derives the id prefix and the default seed of an execution from its ARN or any other unique name. 128 bits
// of the hash make a collision of two executions impossible in practice, and keep ids far below the 128 characters of
// a deduplication id.
func identity(execution string) (prefix string, seed int) {
	sum := sha256.Sum256([]byte(execution))
	return hex.EncodeToString(sum[:16]), int(binary.BigEndian.Uint32(sum[16:20]) & MostSeed)
}
