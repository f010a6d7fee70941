package verify

import (
	"math"
	"time"
)

// Version identifies what a deployment brings to the service.
type Version struct {
	TaskDefinition    string `json:"taskDefinition"`    // family:revision; empty: the image was never deployed
	TaskDefinitionArn string `json:"taskDefinitionArn"` // likewise
	Image             string `json:"image"`
	ImageDigest       string `json:"imageDigest"` // sha256:...; empty if the image is named by a tag
}

// Measured is how the queue's work went in a span of time.
type Measured struct {
	Seconds     float64  `json:"seconds"`     // length of the span
	Processed   float64  `json:"processed"`   // messages
	Failed      float64  `json:"failed"`      // attempts that failed
	SetAside    float64  `json:"setAside"`    // messages that can never succeed
	Arrived     float64  `json:"arrived"`     // messages sent to the queue
	P95Duration *float64 `json:"p95Duration"` // s; nil without messages
	P95Wait     *float64 `json:"p95Wait"`     // s, likewise
	PromiseKept *float64 `json:"promiseKept"` // % of messages that began within the acceptable delay, likewise
}

// Plan is what a verification is about. It is the output of the step Prepare Verification.
type Plan struct {
	Summary string    `json:"summary"`
	Reason  string    `json:"reason"`
	Change  string    `json:"change,omitempty"` // what is deployed, for people
	At      time.Time `json:"at"`               // when the verification began

	Expected Version `json:"expected"`
	// Deployed is when the rollout of Expected began; of one that is Settled, when the verification did.
	Deployed time.Time `json:"deployed"`
	// Settled says that Expected has run for so long that this is no rollout any more. Then the time before the
	// verification is what it is compared with, and it is taken back only if the input says so: something else than
	// the version may have changed.
	Settled  bool     `json:"settled,omitempty"`
	Before   *Version `json:"before"`   // that a rollback goes back to; nil: there is none
	Baseline Measured `json:"baseline"` // of the time before Deployed
	// DeadLetters were in the dead-letter queue when the verification began.
	DeadLetters int `json:"deadLetters"`

	RolloutSeconds  float64 `json:"rolloutSeconds"`  // longest wait for the rollout
	SoakSeconds     float64 `json:"soakSeconds"`     // how long the outcome is watched
	RollbackSeconds float64 `json:"rollbackSeconds"` // longest wait for a rollback
	RollBack        bool    `json:"rollBack"`        // false: report only
	Canary          Canary  `json:"canary"`
}

// Canary says how the canary is sent.
type Canary struct {
	Wanted         bool `json:"wanted"`
	FIFO           bool `json:"fifo"`
	TimeoutSeconds int  `json:"timeoutSeconds"` // for its answer
	Attempts       int  `json:"attempts"`       // another one after each that an old version took
}

// canaryAttempts bounds how often an old version may take the canary.
const canaryAttempts = 3

// Bounds of the canary's time limit. Below the least, the calls themselves take the time; at the longest, nobody waits.
const (
	leastCanaryTime   = 10 * time.Second
	longestCanaryTime = 2 * time.Hour
)

// canaryTime is how long a canary may take: twice as long as nearly every message waits, measured or promised, and the
// start of a task.
func canaryTime(p95Wait *float64, acceptableDelay, start time.Duration) int {
	wait := acceptableDelay
	if p95Wait != nil {
		wait = max(wait, seconds(*p95Wait))
	}
	limit := min(max(2*wait+start, leastCanaryTime), longestCanaryTime)
	return int(math.Ceil(limit.Seconds())) // Step Functions waits whole seconds
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
