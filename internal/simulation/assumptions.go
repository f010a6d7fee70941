package simulation

import (
	"fmt"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// Assumptions are everything that the model takes for granted about AWS and about the worker. Start from
// [DefaultAssumptions]; [Catalogue] lists every one with its evidence level.
type Assumptions struct {
	// Tracking is how target tracking and its alarms behave.
	Tracking tracking.Assumptions
	// SQSDelay, TaskDelay, WorkerDelay are how long after its period a datapoint of AWS/SQS, of the service's tasks,
	// and of the worker's own metrics becomes readable. Negative takes Tracking.PublicationDelay.
	SQSDelay, TaskDelay, WorkerDelay time.Duration
	// Sampling is how the queue's and the tasks' datapoints come about.
	Sampling Sampling
	// Staleness is how old the counts are that GetQueueAttributes answers.
	Staleness time.Duration
	// CountNoise is the share by which they are wrong at most, up or down. CountZeros is the share of the looks at
	// which they read zero.
	CountNoise, CountZeros float64
	// TransientReadings is the share of the periods in which the visible count of an empty queue reads as
	// TransientCount.
	TransientReadings float64
	TransientCount    int

	// StartUp is the mean time from the launch of a task until it takes messages, lognormal with a coefficient of
	// variation of StartUpCV.
	StartUp   time.Duration
	StartUpCV float64
	// StopTimeout is the time between SIGTERM and SIGKILL.
	StopTimeout time.Duration
	// Drains: on SIGTERM the worker takes no new message and finishes those in hand. Otherwise it goes on until it is
	// killed.
	Drains bool
	// Protection: the worker protects its task from scale-in while it works on a message that takes longer than
	// StopTimeout.
	Protection bool
	// ProtectionSpell is for how long a task with several messages in hand stays protected in one go before it takes
	// no more until all are done.
	ProtectionSpell time.Duration
	// Victim is which task ECS stops first among those that are not protected; tasks that are still starting go
	// before all others.
	Victim Victim
	// VisibilityTimeout after which a message that was received and not deleted is visible again.
	VisibilityTimeout time.Duration
	// Heartbeat: the worker extends the visibility of what it works on.
	Heartbeat bool
	// BusyCPU is the CPU utilisation, in percent, of a task with all its slots busy.
	BusyCPU float64

	// SpotShare is the share of tasks on Fargate Spot; each is taken back after a time that is exponential with a mean
	// of SpotLife, with SpotWarning between SIGTERM and the end.
	SpotShare   float64
	SpotLife    time.Duration
	SpotWarning time.Duration

	// Prices in USD.
	Prices Prices
}

// Prices of Fargate in USD, and the size of a task.
type Prices struct {
	VCPUHour, GBHour float64
	SpotDiscount     float64       // share off
	LeastBilled      time.Duration // of a task
	TaskVCPU, TaskGB float64
}

// TaskHour is the price of a task for an hour, with a share of tasks on Spot.
func (p Prices) TaskHour(spotShare float64) float64 {
	return (p.TaskVCPU*p.VCPUHour + p.TaskGB*p.GBHour) * (1 - spotShare*p.SpotDiscount)
}

// Sampling says how a datapoint of a count (messages visible, in flight, running tasks) comes about.
type Sampling string

// Samplings.
const (
	AtEnd Sampling = "end"  // one reading at the end of the period
	Mean  Sampling = "mean" // the mean over the period
)

// Victim says which task ECS stops first.
type Victim string

// Victims.
const (
	Newest Victim = "newest"
	Oldest Victim = "oldest"
)

// DefaultAssumptions are those under which the model scales out as late as AWS was measured to.
func DefaultAssumptions() Assumptions {
	return Assumptions{
		Tracking:          tracking.DefaultAssumptions(),
		SQSDelay:          -time.Second,
		TaskDelay:         -time.Second,
		WorkerDelay:       -time.Second,
		Sampling:          Mean,
		Staleness:         30 * time.Second,
		TransientCount:    1,
		StartUp:           45 * time.Second,
		StartUpCV:         0.15,
		StopTimeout:       2 * time.Minute,
		Drains:            true,
		Protection:        true,
		ProtectionSpell:   10 * time.Minute,
		Victim:            Newest,
		VisibilityTimeout: 2 * time.Minute,
		Heartbeat:         true,
		BusyCPU:           100,
		SpotLife:          24 * time.Hour,
		SpotWarning:       2 * time.Minute,
		Prices: Prices{
			VCPUHour: 0.04048, GBHour: 0.004445, SpotDiscount: 0.7, LeastBilled: time.Minute,
			TaskVCPU: 0.25, TaskGB: 0.5,
		},
	}
}

// Period is the length of a datapoint.
func (a Assumptions) Period() time.Duration { return a.Tracking.Period }

// Validate reports the first value that makes no sense.
func (a Assumptions) Validate() error {
	if err := a.Tracking.Validate(); err != nil {
		return err
	}
	for _, known := range Catalogue() {
		if err := known.check(&a); err != nil {
			return err
		}
	}
	if a.StopTimeout > 2*time.Minute {
		return fmt.Errorf("stopTimeout is %v; Fargate allows at most 2m", a.StopTimeout)
	}
	return nil
}

// delay is how long after its period a datapoint can be read.
func (a Assumptions) delay(own time.Duration) time.Duration {
	if own < 0 {
		return a.Tracking.PublicationDelay
	}
	return own
}
