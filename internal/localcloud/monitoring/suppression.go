package monitoring

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// suppression holds the actions of a composite alarm back while another alarm, its suppressor, is in ALARM; its events
// are sent all the same. How it goes (Amazon CloudWatch user guide, "Alarm suppression"):
//
//	the composite goes to ALARM       -> it waits WaitPeriod for the suppressor, then acts
//	the suppressor goes to ALARM      -> nothing is acted upon
//	the suppressor goes out of ALARM  -> nothing for ExtensionPeriod more; then, if the composite is in ALARM, it acts
//
// What an alarm does that leaves ALARM while nothing holds it back is not documented; here it acts at once.
type suppression struct {
	by              string // name of the suppressor
	wait, extension time.Duration

	phase types.ActionsSuppressedBy // empty: nothing holds back
	until time.Time                 // end of a wait or extension period
	held  *action
}

func newSuppression(in *cloudwatch.PutCompositeAlarmInput) (*suppression, error) {
	name := aws.ToString(in.ActionsSuppressor)
	if name == "" {
		return nil, nil
	}
	if in.ActionsSuppressorWaitPeriod == nil || in.ActionsSuppressorExtensionPeriod == nil {
		return nil, validation(
			"ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod are required with ActionsSuppressor.")
	}
	if _, short, isARN := strings.Cut(name, ":alarm:"); isARN {
		name = short
	}
	seconds := func(n *int32) time.Duration { return time.Duration(*n) * time.Second }
	return &suppression{by: name, wait: seconds(in.ActionsSuppressorWaitPeriod),
		extension: seconds(in.ActionsSuppressorExtensionPeriod)}, nil
}

// hold takes the action of a change of state, unless it is to be carried out now.
func (s *suppression) hold(a action, suppressed bool, now time.Time) bool {
	s.held = nil // whatever the state before was, it is not any more
	inAlarm := a.after.StateValue == types.StateValueAlarm
	switch {
	case suppressed:
		s.phase = types.ActionsSuppressedByAlarm
	case s.phase == types.ActionsSuppressedByExtensionPeriod: // goes on
	case inAlarm:
		s.phase, s.until = types.ActionsSuppressedByWaitPeriod, now.Add(s.wait)
	default:
		s.phase = ""
		return false
	}
	if inAlarm {
		s.held = &a
	}
	return true
}

// settle moves to the phase of now, and returns the action that nothing holds back any more, or nil.
func (s *suppression) settle(suppressed bool, now time.Time) *action {
	switch {
	case suppressed:
		s.phase = types.ActionsSuppressedByAlarm
	case s.phase == types.ActionsSuppressedByAlarm:
		s.phase, s.until = types.ActionsSuppressedByExtensionPeriod, now.Add(s.extension)
	}
	if s.phase == "" || s.phase == types.ActionsSuppressedByAlarm || now.Before(s.until) {
		return nil
	}
	s.phase = ""
	due := s.held
	s.held = nil
	return due
}

// settleSuppressions carries out the actions that nothing holds back any more. Needs s.mu.
func (s *Server) settleSuppressions(now time.Time) {
	for _, name := range s.names() {
		a := s.alarms[name]
		if a.suppression == nil {
			continue
		}
		if due := a.suppression.settle(s.stateOf(a.suppression.by) == types.StateValueAlarm, now); due != nil {
			due.told = true
			s.act(*due)
		}
	}
}

// show adds to the description of an alarm what holds it back.
func (s *suppression) show(a *types.CompositeAlarm) {
	a.ActionsSuppressor = &s.by
	a.ActionsSuppressorWaitPeriod = aws.Int32(int32(s.wait / time.Second))
	a.ActionsSuppressorExtensionPeriod = aws.Int32(int32(s.extension / time.Second))
	if s.held != nil {
		a.ActionsSuppressedBy = s.phase
		a.ActionsSuppressedReason = aws.String("Actions suppressed by " + string(s.phase))
	}
}
