package simulation

import (
	"slices"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// Result is what a run came to.
type Result struct {
	Policy, Load string
	Length       time.Duration // that is judged and paid for
	Delay        time.Duration // the promise

	Messages int
	Within   int // messages that started within the delay
	Unserved int // messages that no worker ever started
	Left     int // messages that were not done at the end, those never started among them
	Waits    Waits

	Billed   time.Duration // task time that is paid for
	Launches int
	Actions  int // changes of the desired count
	Turns    int // actions in the other direction than the one before

	// Doubled is work that was done again or thrown away, and how many times that happened.
	Doubled         time.Duration
	DoubledMessages int

	Supply []Step // running tasks over time
	Series Series // one value a period
}

// Step is a count that holds from a moment on.
type Step struct {
	At    time.Duration
	Count int
}

// Kept is the share of messages that started within the delay: the promise kept, from 0 to 1.
func (r *Result) Kept() float64 { return float64(r.Within) / float64(max(1, r.Messages)) }

// TaskHours are the hours of tasks that are paid for.
func (r *Result) TaskHours() float64 { return r.Billed.Hours() }

// MonthlyCost is the cost of the tasks for 30 days at this rate, in USD.
func (r *Result) MonthlyCost(a Assumptions) float64 {
	const month = 30 * 24 * time.Hour
	return r.TaskHours() * a.Prices.TaskHour(a.SpotShare) * float64(month) / float64(r.Length)
}

func newResult(s Scenario) *Result {
	periods := int(s.Load.Length/s.Assumptions.Period()) + 1
	return &Result{
		Load: s.Load.Name, Length: s.Load.Length, Delay: s.Delay, Messages: len(s.Load.At),
		Series: newSeries(s.Assumptions.Period(), periods),
	}
}

// close settles what is left at the end.
func (r *run) close() {
	for _, t := range r.fleet.tasks {
		if t.state != stopped {
			r.bill(t.launched, r.load.Length)
		}
	}
	for i := range r.load.At {
		if r.mark[i]&done != 0 {
			continue
		}
		r.result.Left++
		if r.mark[i]&begun == 0 {
			r.result.Unserved++
			r.result.Waits.Add(max(r.now, r.load.Length) - r.load.At[i])
		}
	}
	if r.scenario.Progress != nil {
		r.scenario.Progress(1)
	}
}

// Series are the values of each period, for pictures and for other tools.
type Series struct {
	Period   time.Duration
	Visible  []float32 // mean of messages that wait
	InFlight []float32 // mean of messages being worked on
	Running  []float32 // mean of running tasks
	Desired  []int32   // at the end of the period
	Pending  []int32   // tasks that start, at the end
	Floor    []int32   // bounds at the end
	Ceiling  []int32
	Sent     []int32
	Started  []int32   // messages whose first processing began
	InTime   []int32   // of those, within the delay
	WaitMean []float32 // of the messages started in the period, seconds
	WaitMax  []float32
	Work     []float32 // mean processing duration of the messages completed, seconds; 0 without any
	Notes    map[string][]float32
}

func newSeries(length time.Duration, periods int) Series {
	floats := func() []float32 { return make([]float32, 0, periods) }
	counts := func() []int32 { return make([]int32, 0, periods) }
	return Series{
		Period:   length,
		Visible:  floats(),
		InFlight: floats(),
		Running:  floats(),
		WaitMean: floats(),
		WaitMax:  floats(),
		Work:     floats(),
		Desired:  counts(),
		Pending:  counts(),
		Floor:    counts(),
		Ceiling:  counts(),
		Sent:     counts(),
		Started:  counts(),
		InTime:   counts(),
		Notes:    map[string][]float32{},
	}
}

func (s *Series) add(t *tally, desired, pending int, bounds tracking.Bounds) {
	seconds := t.length.Seconds()
	s.Visible = append(s.Visible, float32(t.visible/seconds))
	s.InFlight = append(s.InFlight, float32(t.inFlight/seconds))
	s.Running = append(s.Running, float32(t.running/seconds))
	s.Desired = append(s.Desired, int32(desired))
	s.Pending = append(s.Pending, int32(pending))
	s.Floor = append(s.Floor, int32(bounds.Min))
	s.Ceiling = append(s.Ceiling, int32(bounds.Max))
	s.Sent = append(s.Sent, int32(t.sent))
	s.Started = append(s.Started, int32(t.started))
	s.InTime = append(s.InTime, int32(t.inTime))
	s.WaitMean = append(s.WaitMean, float32(t.waits.Seconds()/float64(max(1, t.started))))
	s.WaitMax = append(s.WaitMax, float32(t.longest.Seconds()))
	s.Work = append(s.Work, float32(t.work.Seconds()/float64(max(1, t.completed))))
}

// note keeps the notes of a period, if it belongs to the series.
func (s *Series) note(values map[string]float64) {
	for name, value := range values {
		notes := s.Notes[name]
		for len(notes) < len(s.Visible)-1 {
			notes = append(notes, 0)
		}
		if len(notes) < len(s.Visible) {
			s.Notes[name] = append(notes, float32(value))
		}
	}
}

// NoteNames lists the notes in order.
func (s *Series) NoteNames() []string {
	all := make([]string, 0, len(s.Notes))
	for name := range s.Notes {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
