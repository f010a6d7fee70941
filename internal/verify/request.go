package verify

import (
	"encoding/json"
	"regexp"
	"time"

	"sqs-dynamic-target-tracking/internal/stepinput"
)

// Limits of the durations that a stack or an input may set. With them, the looks of an execution at its slowest stay
// below the 25,000 events at which Step Functions ends it.
const (
	LongestRollout  = 2 * time.Hour
	LongestSoak     = 2 * time.Hour
	LongestRollback = 2 * time.Hour
	LongestStart    = time.Hour
	LongestBaseline = 14 * 24 * time.Hour // CloudWatch keeps minutes for 15 days
)

// Request is what an execution is asked to verify.
type Request struct {
	Reason      string
	Change      string // for people; may be empty
	ImageDigest string // empty: what the service runs
	Canary      bool
	RollBack    bool
	Insist      bool // rollBack was given, rather than taken for granted
	Rollout     time.Duration
	Soak        time.Duration
}

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// ParseRequest reads the input of an execution. Every field is optional:
//
//	reason          a text, for people
//	change          a text, for people: a commit
//	imageDigest     sha256:<64 hexadecimal digits>: the version that must be running; by default the one that is
//	canary          whether the worker answers canaries
//	rollBack        false: report only; true: also a version that has run for long
//	rolloutSeconds  longest wait for the rollout, more than 0 and at most 2 hours
//	soakSeconds     how long the outcome is watched, likewise
//
// Anything else is refused with *stepinput.InvalidInput.
func ParseRequest(input json.RawMessage, defaults Request) (Request, error) {
	in := stepinput.Read(input)
	out := Request{
		Reason:      in.Text("reason", defaults.Reason, 200),
		Change:      in.Text("change", defaults.Change, 200),
		ImageDigest: in.Text("imageDigest", "", 80),
		Canary:      in.Flag("canary", defaults.Canary),
		RollBack:    in.Flag("rollBack", defaults.RollBack),
		Insist:      in.Has("rollBack"),
		Rollout:     durationOf(in, "rolloutSeconds", defaults.Rollout, LongestRollout),
		Soak:        durationOf(in, "soakSeconds", defaults.Soak, LongestSoak),
	}
	if out.ImageDigest != "" && !digestPattern.MatchString(out.ImageDigest) {
		in.Refuse("imageDigest", "sha256: and 64 hexadecimal digits")
	}
	return out, in.Err()
}

func durationOf(in *stepinput.Object, field string, fallback, longest time.Duration) time.Duration {
	return seconds(in.Number(field, fallback.Seconds(), 0.001, longest.Seconds()))
}
