package retune

import (
	"encoding/json"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/stepinput"
)

// Limits of the window of a measurement. Durations older than a day say little about the load to come.
const (
	LeastWindow   = time.Second
	LongestWindow = 24 * time.Hour
)

// Request is the input of the machine, with the defaults filled in.
type Request struct {
	Reason         string  `json:"reason"`
	DryRun         bool    `json:"dryRun"`         // decide and show, but change nothing
	WindowMinutes  float64 `json:"windowMinutes"`  // of LeastWindow to LongestWindow
	MinimumSamples int     `json:"minimumSamples"` // fewer samples change nothing
	MaximumFactor  float64 `json:"maximumFactor"`  // by which a run may multiply or divide a target
}

// ParseRequest checks the input of an execution. Every field is optional and has its default in defaults. Errors are
// *stepinput.InvalidInput.
func ParseRequest(input json.RawMessage, defaults Request) (Request, error) {
	in := stepinput.Read(input)
	request := Request{
		Reason: in.Text("reason", defaults.Reason, 200),
		DryRun: in.Flag("dryRun", defaults.DryRun),
		WindowMinutes: in.Number(
			"windowMinutes",
			defaults.WindowMinutes,
			LeastWindow.Minutes(),
			LongestWindow.Minutes(),
		),
		MinimumSamples: in.Whole("minimumSamples", defaults.MinimumSamples,
			1, backlog.MostSamples),
		MaximumFactor: in.Number("maximumFactor", defaults.MaximumFactor, backlog.LeastFactor, backlog.MostFactor),
	}
	return request, in.Err()
}
