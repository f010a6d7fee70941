package consumer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Causes for which the context of a handler ends; see [context.Cause].
var (
	// ErrLeaseLost says that the message's visibility could not be extended in time. Another worker may have it.
	ErrLeaseLost = errors.New("the lease of the message is lost")
	// ErrStopping says that the task ends before the handler could.
	ErrStopping = errors.New("the worker is stopping")
)

// Retry is a handler's wish to get the message again after a time of its own choice, between 0 and 12 hours, instead
// of the usual growing pause. The queue counts in whole seconds, so the time is rounded up. The error, which may be
// nil, says why; it is logged.
func Retry(after time.Duration, err error) error { return &retryError{after: after, err: err} }

type retryError struct {
	after time.Duration
	err   error
}

func (e *retryError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("again in %v", e.after)
	}
	return fmt.Sprintf("again in %v: %v", e.after, e.err)
}

func (e *retryError) Unwrap() error { return e.err }

// Reject is a handler's verdict that no attempt can ever succeed with this message. It goes to the dead-letter queue
// now, with the reason; without a dead-letter queue it is left to the queue's own redrive policy.
func Reject(reason string) error { return &rejectError{reason: reason} }

type rejectError struct{ reason string }

func (e *rejectError) Error() string { return e.reason }

// A panicError is what became of a handler's panic.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("the handler panicked: %v", e.value) }

// A fate is what is to become of a message that has been worked on.
type fate int

const (
	fateDelete   fate = iota // done: delete it
	fateSetAside             // can never be done: move it to the dead-letter queue
	fateRetry                // failed: make it visible after a pause
	fateGiveBack             // nobody's fault: make it visible at once
	fateAbandon              // not ours any more: leave it alone
)

// judge decides on the fate of a message from what its handler returned and from the cause, if any, for which the
// handler's context had ended by then.
func judge(err, cause error) fate {
	switch {
	case cause != nil && errors.Is(cause, ErrLeaseLost):
		return fateAbandon
	case err == nil:
		return fateDelete
	case rejected(err):
		return fateSetAside
	case errors.Is(cause, ErrStopping):
		return fateGiveBack
	}
	return fateRetry
}

// rejected tells whether the handler rejected the message.
func rejected(err error) bool {
	if err == nil {
		return false
	}
	var reject *rejectError
	return errors.As(err, &reject)
}

// Bounds of the pause after a failed attempt.
const (
	firstPause    = time.Second
	longestPause  = 15 * time.Minute
	maxVisibility = 12 * time.Hour // SQS allows no more
)

// pauseAfter is how long a message that failed with err stays invisible: what the handler asked for, or else a pause
// that doubles with each delivery, of which a random half is left out so that those who failed together do not come
// back together.
func pauseAfter(err error, receiveCount int) time.Duration {
	var retry *retryError
	if errors.As(err, &retry) {
		return min(max(retry.after, 0), maxVisibility)
	}
	return jitter(exponential(firstPause, longestPause, receiveCount), 0.5)
}

// exponential is first, doubled for each attempt after the first, at most longest.
func exponential(first, longest time.Duration, attempt int) time.Duration {
	d := first
	for i := 1; i < attempt && d < longest; i++ {
		d *= 2
	}
	return min(d, longest)
}

// jitter takes a random part, at most share, off d.
func jitter(d time.Duration, share float64) time.Duration {
	return d - time.Duration(rand.Float64()*share*float64(d))
}

// wholeSeconds rounds up to the unit in which the queue counts.
func wholeSeconds(d time.Duration) int32 {
	return int32((d + time.Second - 1) / time.Second)
}
