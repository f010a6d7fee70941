package retune

// History is a window period by period, oldest first, for a replay. Each text has one number a period, separated by
// spaces; "-" is a period without data.
type History struct {
	PeriodSeconds int    `json:"periodSeconds"`
	Sent          string `json:"sent"`       // messages that arrived
	Processing    string `json:"processing"` // mean processing duration, seconds
}
