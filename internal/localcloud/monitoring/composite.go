package monitoring

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// rule is the compiled AlarmRule of a composite alarm: it tells, from the states of other alarms, whether to fire.
type rule func(state func(alarm string) types.StateValue) bool

var ruleToken = regexp.MustCompile(`^\s*(\(|\)|"[^"]*"|'[^']*'|[^\s()"']+)`)

// parseRule compiles e.g. `ALARM("a") AND NOT (OK(b) OR FALSE)`; it also returns the alarms that are named.
func parseRule(text string) (rule, []string, error) {
	p := &ruleParser{}
	for rest := text; strings.TrimSpace(rest) != ""; {
		m := ruleToken.FindStringSubmatch(rest)
		if m == nil {
			return nil, nil, fmt.Errorf("cannot read %q", rest)
		}
		p.tokens = append(p.tokens, m[1])
		rest = rest[len(m[0]):]
	}
	r, err := p.either()
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("%q is not expected", p.tokens[p.at])
	}
	return r, p.alarms, err
}

type ruleParser struct {
	tokens []string
	at     int
	depth  int
	alarms []string
}

// take consumes the next token if it is the one wanted.
func (p *ruleParser) take(token string) bool {
	if p.at < len(p.tokens) && strings.EqualFold(p.tokens[p.at], token) {
		p.at++
		return true
	}
	return false
}

func (p *ruleParser) either() (rule, error) {
	left, err := p.both()
	for err == nil && p.take("OR") {
		a := left
		var b rule
		b, err = p.both()
		left = func(s func(string) types.StateValue) bool { return a(s) || b(s) }
	}
	return left, err
}

func (p *ruleParser) both() (rule, error) {
	left, err := p.one()
	for err == nil && p.take("AND") {
		a := left
		var b rule
		b, err = p.one()
		left = func(s func(string) types.StateValue) bool { return a(s) && b(s) }
	}
	return left, err
}

func (p *ruleParser) one() (rule, error) {
	if p.depth++; p.depth > 100 {
		return nil, fmt.Errorf("nested too deep")
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("NOT"):
		inner, err := p.one()
		return func(s func(string) types.StateValue) bool { return !inner(s) }, err
	case p.take("TRUE"):
		return func(func(string) types.StateValue) bool { return true }, nil
	case p.take("FALSE"):
		return func(func(string) types.StateValue) bool { return false }, nil
	case p.take("("):
		inner, err := p.either()
		if err == nil && !p.take(")") {
			err = fmt.Errorf("a closing bracket is missing")
		}
		return inner, err
	}
	for _, wanted := range types.StateValue("").Values() {
		if p.take(string(wanted)) {
			return p.call(wanted)
		}
	}
	if p.at < len(p.tokens) {
		return nil, fmt.Errorf("%q is not expected", p.tokens[p.at])
	}
	return nil, fmt.Errorf("it ends too early")
}

// call reads the bracketed name of an alarm, which may be an ARN.
func (p *ruleParser) call(wanted types.StateValue) (rule, error) {
	if !p.take("(") || p.at >= len(p.tokens) {
		return nil, fmt.Errorf("%s needs the name of an alarm in brackets", wanted)
	}
	name := strings.Trim(p.tokens[p.at], `"'`)
	p.at++
	if !p.take(")") {
		return nil, fmt.Errorf("a closing bracket is missing after %q", name)
	}
	if _, short, isARN := strings.Cut(name, ":alarm:"); isARN {
		name = short
	}
	p.alarms = append(p.alarms, name)
	return func(s func(string) types.StateValue) bool { return s(name) == wanted }, nil
}

func (s *Server) putCompositeAlarm(
	ctx context.Context,
	in *cloudwatch.PutCompositeAlarmInput,
) (*cloudwatch.PutCompositeAlarmOutput, error) {
	name := aws.ToString(in.AlarmName)
	if err := s.authorize(ctx, "PutCompositeAlarm", s.alarmARN(name), nil); err != nil {
		return nil, err
	}
	var v wire.Violations
	if wire.Required(&v, "alarmName", in.AlarmName) {
		v.Length("alarmName", in.AlarmName, 1, 255)
	}
	wire.Required(&v, "alarmRule", in.AlarmRule)
	if err := violated(&v); err != nil {
		return nil, err
	}
	compiled, named, err := parseRule(*in.AlarmRule)
	if err != nil {
		return nil, validation("AlarmRule must not contain leading or trailing whitespace or be malformed: %v.", err)
	}
	held, err := newSuppression(in)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range named {
		if s.alarms[n] == nil {
			return nil, validation("Could not save the composite alarm as alarms [%s] in the alarm rule do not exist",
				n)
		}
	}
	shown := shownInput(&cloudwatch.PutMetricAlarmInput{
		AlarmName: in.AlarmName, AlarmDescription: in.AlarmDescription, ActionsEnabled: in.ActionsEnabled,
		AlarmActions: in.AlarmActions, OKActions: in.OKActions, InsufficientDataActions: in.InsufficientDataActions,
	})
	a := &alarm{rule: compiled, ruleText: *in.AlarmRule, suppression: held, MetricAlarm: shown}
	s.keep(a, in.Tags, now)
	s.judgeComposites(now)
	return &cloudwatch.PutCompositeAlarmOutput{}, nil
}

// judgeComposites gives the composite alarms their states. One may depend on another, so it goes on while any moves.
// Needs s.mu.
func (s *Server) judgeComposites(now time.Time) {
	for range len(s.alarms) {
		moved := false
		for _, name := range s.names() {
			a := s.alarms[name]
			if a.rule == nil {
				continue
			}
			state := types.StateValueOk
			if a.rule(s.stateOf) {
				state = types.StateValueAlarm
			}
			if state != a.StateValue {
				s.move(a, state, "The alarm rule "+a.ruleText+" now gives "+string(state), "", now)
				moved = true
			}
		}
		if !moved {
			return
		}
	}
}

func (s *Server) stateOf(name string) types.StateValue {
	if a := s.alarms[name]; a != nil {
		return a.StateValue
	}
	return types.StateValueInsufficientData
}

func (a *alarm) composite() types.CompositeAlarm {
	shown := types.CompositeAlarm{
		AlarmName: a.AlarmName, AlarmArn: a.AlarmArn, AlarmDescription: a.AlarmDescription,
		AlarmRule:      aws.String(a.ruleText),
		ActionsEnabled: a.ActionsEnabled, AlarmActions: a.AlarmActions, OKActions: a.OKActions,
		InsufficientDataActions: a.InsufficientDataActions, StateValue: a.StateValue, StateReason: a.StateReason,
		StateReasonData: a.StateReasonData, StateUpdatedTimestamp: a.StateUpdatedTimestamp,
		StateTransitionedTimestamp:         a.StateTransitionedTimestamp,
		AlarmConfigurationUpdatedTimestamp: a.AlarmConfigurationUpdatedTimestamp,
	}
	if a.suppression != nil {
		a.suppression.show(&shown)
	}
	return shown
}

// kind is what DescribeAlarms calls the alarm.
func (a *alarm) kind() types.AlarmType {
	if a.rule != nil {
		return types.AlarmTypeCompositeAlarm
	}
	return types.AlarmTypeMetricAlarm
}

// ofKind tells whether a request asks for an alarm's kind; without a wish it asks for metric alarms.
func ofKind(a *alarm, wanted []types.AlarmType) bool {
	if len(wanted) == 0 {
		return a.kind() == types.AlarmTypeMetricAlarm
	}
	return slices.Contains(wanted, a.kind())
}
