package tracking

import "time"

// ActivityStatus is a scaling activity's StatusCode.
type ActivityStatus string

// Status codes.
const (
	Pending     ActivityStatus = "Pending"
	InProgress  ActivityStatus = "InProgress"
	Successful  ActivityStatus = "Successful"
	Overridden  ActivityStatus = "Overridden"
	Unfulfilled ActivityStatus = "Unfulfilled"
	Failed      ActivityStatus = "Failed"
)

// Activity is a scaling activity in AWS's words. One with NotScaled is only shown with IncludeNotScaledActivities.
type Activity struct {
	ID            string
	Policy        string // policy that caused it; empty for bounds and schedules
	Cause         string
	Description   string
	Status        ActivityStatus
	StatusMessage string
	Start, End    time.Time // End is zero while it lasts
	From, To      int       // desired counts
	NotScaled     []NotScaledReason
}

// NotScaledReason says why nothing happened.
type NotScaledReason struct {
	Code                                      ReasonCode
	MaxCapacity, MinCapacity, CurrentCapacity *int // present where the code has them
}

// ReasonCode is the Code of a [NotScaledReason].
type ReasonCode string

// Reason codes.
const (
	AnticipatedFlapping ReasonCode = "AutoScalingAnticipatedFlapping"
	PutAsUnscalable     ReasonCode = "TargetServicePutResourceAsUnscalable"
	AtMaxCapacity       ReasonCode = "AlreadyAtMaxCapacity"
	AtMinCapacity       ReasonCode = "AlreadyAtMinCapacity"
	AtDesiredCapacity   ReasonCode = "AlreadyAtDesiredCapacity"
)
