package retune

import "fmt"

// Targets are the values of the two policies, as the steps pass them on.
type Targets struct {
	Backlog float64 `json:"backlogTarget"` // messages per task
	Rate    float64 `json:"rateTarget"`    // messages sent per period per task
}

// Bounds are the fewest and the most tasks that target tracking may set.
type Bounds struct {
	MinTasks int `json:"minTasks"`
	MaxTasks int `json:"maxTasks"`
}

func (b Bounds) String() string { return fmt.Sprintf("%d to %d tasks", b.MinTasks, b.MaxTasks) }

// within moves the bounds into others.
func (b Bounds) within(limits Bounds) Bounds {
	into := func(n int) int { return min(max(n, limits.MinTasks), limits.MaxTasks) }
	return Bounds{MinTasks: into(b.MinTasks), MaxTasks: into(b.MaxTasks)}
}

// Settings are what a retune may move: both targets, and the bounds of the task count where the retune owns them.
type Settings struct {
	Targets
	Bounds *Bounds `json:"bounds"` // nil: not read, or not the retune's
}

func (s Settings) String() string {
	text := fmt.Sprintf("%.4g messages per task, %.4g sent per period and task", s.Backlog, s.Rate)
	if s.Bounds != nil {
		text += ", " + s.Bounds.String()
	}
	return text
}

// Tuning is what targets are made with besides the processing duration and the promise.
type Tuning struct {
	Headroom    float64 `json:"headroom"`    // of backlog.Promise
	Utilization float64 `json:"utilization"` // of backlog.Promise
	Bounds
}
