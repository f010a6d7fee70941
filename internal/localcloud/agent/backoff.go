package agent

import (
	"sync"
	"time"
)

// ECS starts the tasks of a service ever more slowly when they keep failing. Its numbers are not documented; these keep
// a crashing worker from occupying the machine.
const (
	quickEnd     = 10 * time.Second // a task that lived less has failed
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// failures counts, for each service, the tasks in a row that ended soon after their start.
type failures struct {
	scale float64 // all times are divided by it
	mu    sync.Mutex
	count map[string]int
}

// ended notes how long a task lived that ended by itself.
func (f *failures) ended(service string, lived time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = map[string]int{}
	}
	if float64(lived) >= float64(quickEnd)/f.scale {
		f.count[service] = 0
		return
	}
	f.count[service]++
}

// delay is how long the next task of a service waits: nothing after one failure, then doubling.
func (f *failures) delay(service string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.count[service]
	if n < 2 {
		return 0
	}
	backoff := firstBackoff << min(n-2, 10)
	return time.Duration(float64(min(backoff, maxBackoff)) / f.scale)
}
