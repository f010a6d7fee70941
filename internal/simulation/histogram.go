package simulation

import (
	"math/bits"
	"time"
)

// Waits is a histogram of waiting times. Buckets grow with the value: each is at most 1/64 of its value wide (and at
// least 1 ms), so a quantile is exact to 1.6 % in constant memory.
type Waits struct {
	counts  [64 * 32]int64
	count   int64
	sum     float64 // seconds
	longest time.Duration
}

const bucketBits = 6

func bucketOf(wait time.Duration) int {
	ms := uint64(max(0, wait) / time.Millisecond)
	if ms < 1<<bucketBits {
		return int(ms)
	}
	exponent := bits.Len64(ms) - bucketBits - 1
	return min((exponent+1)<<bucketBits|int(ms>>exponent)&(1<<bucketBits-1), 64*32-1)
}

// bucketEnd is the largest wait that falls into the bucket.
func bucketEnd(bucket int) time.Duration {
	if bucket < 1<<bucketBits {
		return time.Duration(bucket) * time.Millisecond
	}
	exponent := bucket>>bucketBits - 1
	mantissa := uint64(bucket&(1<<bucketBits-1) | 1<<bucketBits)
	return time.Duration((mantissa+1)<<exponent-1) * time.Millisecond
}

// Add records one wait.
func (w *Waits) Add(wait time.Duration) {
	w.counts[bucketOf(wait)]++
	w.count++
	w.sum += wait.Seconds()
	w.longest = max(w.longest, wait)
}

// Count is the number of waits recorded.
func (w *Waits) Count() int64 { return w.count }

// Mean is the mean wait; 0 without any.
func (w *Waits) Mean() time.Duration {
	if w.count == 0 {
		return 0
	}
	return time.Duration(w.sum / float64(w.count) * float64(time.Second))
}

// Max is the longest wait.
func (w *Waits) Max() time.Duration { return w.longest }

// Quantile is the wait that a share q (0 to 1) of the messages did not exceed.
func (w *Waits) Quantile(q float64) time.Duration {
	rank := int64(q * float64(w.count))
	seen := int64(0)
	for bucket, count := range w.counts {
		seen += count
		if count > 0 && seen > rank {
			return min(bucketEnd(bucket), w.longest)
		}
	}
	return w.longest
}
