package produce

import (
	"encoding/json"
	"fmt"

	"sqs-dynamic-target-tracking/internal/stepinput"
)

// Limits of the input.
const (
	MostMessages = 1_000_000 // of one execution
	RangeSize    = 1_000     // messages that one Send sends; bounds the number of ranges in the machine's history
	MostCV       = 10
)

// Defaults of the input: the blueprint's load.
const (
	DefaultMessages        = 50
	DefaultDurationSeconds = 5
	DefaultCV              = 1 // of Lognormal
)

// PlanRequest is the input of the step Plan Batches.
type PlanRequest struct {
	Execution string          `json:"execution"` // ARN: unique, and the same when the step is retried
	Input     json.RawMessage `json:"input"`     // of the execution, as it was given
}

// Range is a run of message indices that one Send sends.
type Range struct {
	First int `json:"first"`
	Count int `json:"count"` // 1 to RangeSize
}

// Plan is the output of the step Plan Batches.
type Plan struct {
	Summary string  `json:"summary"`
	Spec    Spec    `json:"spec"`
	Ranges  []Range `json:"ranges"` // together 0 to Spec.Messages-1, in order; empty for a trace's empty bin
}

// NewPlan checks the input and divides the messages into ranges. Every field of the input is optional:
//
//	messages         1 to 1,000,000, default 50
//	durationSeconds  0 to 43,200, fractions allowed, default 5: the mean duration of a message
//	distribution     "fixed" (default), "exponential" or "lognormal"
//	cv               0 to 10, default 1: coefficient of variation; only with "lognormal"
//	seed             0 to 2,147,483,647, by default from the execution; only with a random distribution
//	trace            {name, offsetSeconds, arrivals}: a bin of an arrival trace, instead of messages
//
// Anything else is refused with *stepinput.InvalidInput.
func NewPlan(request PlanRequest) (Plan, error) {
	spec, err := parse(request)
	if err != nil {
		return Plan{}, err
	}
	return Plan{Summary: spec.summary(), Spec: spec, Ranges: divide(spec.Messages)}, nil
}

// NewSpec describes messages without a machine. name makes their ids unique: the same name gives the same ids.
func NewSpec(name string, input json.RawMessage) (Spec, error) {
	return parse(PlanRequest{Execution: name, Input: input})
}

func parse(request PlanRequest) (Spec, error) {
	in := stepinput.Read(request.Input)
	prefix, seed := identity(request.Execution)
	spec := Spec{
		IDPrefix:        prefix,
		Messages:        in.Whole("messages", DefaultMessages, 1, MostMessages),
		DurationSeconds: in.Number("durationSeconds", DefaultDurationSeconds, 0, LongestDuration),
		Distribution: Distribution(in.OneOf("distribution", string(Fixed),
			string(Fixed), string(Exponential), string(Lognormal))),
	}
	cv := in.Number("cv", DefaultCV, 0, MostCV)
	seed = in.Whole("seed", seed, 0, MostSeed)
	if spec.Distribution == Lognormal {
		spec.CV = cv
	} else if in.Has("cv") {
		in.Refuse("cv", `only with the distribution "lognormal"`)
	}
	if spec.Distribution != Fixed {
		spec.Seed = seed
	} else if in.Has("seed") {
		in.Refuse("seed", `only with the distribution "exponential" or "lognormal"`)
	}
	if trace := in.Object("trace"); trace != nil {
		trace.Require("name", "the name of the trace")
		trace.Require("arrivals", "the number of messages in this bin")
		spec.Trace = &TraceBin{
			Name:          trace.Text("name", "", 80),
			OffsetSeconds: trace.Number("offsetSeconds", 0, 0, 1e9),
			Arrivals:      trace.Whole("arrivals", 0, 0, MostMessages),
		}
		if in.Has("messages") {
			in.Refuse("messages", "only without trace, whose arrivals say how many")
		}
		spec.Messages = spec.Trace.Arrivals
	}
	return spec, in.Err()
}

func divide(messages int) []Range {
	ranges := make([]Range, 0, (messages+RangeSize-1)/RangeSize) // [] rather than null when there is nothing to send
	for first := 0; first < messages; first += RangeSize {
		ranges = append(ranges, Range{First: first, Count: min(RangeSize, messages-first)})
	}
	return ranges
}

// summary is for people, e.g. "50 messages of 5 s".
func (s Spec) summary() string {
	text := fmt.Sprintf("%d messages of %g s", s.Messages, s.DurationSeconds)
	switch s.Distribution {
	case Fixed:
	case Exponential:
		text += fmt.Sprintf(" on average, exponentially distributed with seed %d", s.Seed)
	case Lognormal:
		text += fmt.Sprintf(" on average, lognormally distributed with cv %g and seed %d", s.CV, s.Seed)
	}
	if s.Trace != nil {
		text += fmt.Sprintf(", from the trace %s at %g s", s.Trace.Name, s.Trace.OffsetSeconds)
	}
	return text
}
