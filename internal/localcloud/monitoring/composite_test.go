package monitoring

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func TestRules(t *testing.T) {
	states := map[string]types.StateValue{"a": "ALARM", "b": "OK", "c d": "INSUFFICIENT_DATA"}
	for text, want := range map[string]bool{
		"ALARM(a)": true, `ALARM("b")`: false, "OK(b) AND INSUFFICIENT_DATA('c d')": true, "ALARM(b) OR ALARM(a)": true,
		"NOT ALARM(a)": false, "ALARM(a) AND NOT (OK(a) OR FALSE)": true, "TRUE AND NOT TRUE OR TRUE": true,
		"ALARM(arn:aws:cloudwatch:us-east-1:000000000000:alarm:a)": true,
	} {
		r, _, err := parseRule(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := r(func(name string) types.StateValue { return states[name] }); got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
	for _, text := range []string{
		"", "ALARM", "ALARM(", "ALARM()", "ALARM(a", "a", "ALARM(a) ALARM(b)", "(TRUE", "TRUE)", "TRUE AND", "NOT",
		strings.Repeat("(", 1000),
	} {
		if _, _, err := parseRule(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestACompositeAlarmFollowsItsChildren(t *testing.T) {
	w := setup(t, nil)
	for _, name := range []string{"one", "two"} {
		if _, err := w.PutMetricAlarm(t.Context(), simpleAlarm(name)); err != nil {
			t.Fatal(err)
		}
	}
	put := func(rule string) error {
		_, err := w.PutCompositeAlarm(
			t.Context(),
			&cloudwatch.PutCompositeAlarmInput{
				AlarmName:    aws.String("both"),
				AlarmRule:    &rule,
				AlarmActions: []string{topic},
			},
		)
		return err
	}
	if err := put("ALARM(one) AND ALARM(three)"); err == nil {
		t.Error("a rule over an alarm that does not exist is accepted")
	}
	if err := put("ALARM(one) AND ALARM(two)"); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ alarm, state, want string }{
		{"one", "ALARM", "OK"}, {"two", "ALARM", "ALARM"}, {"one", "OK", "OK"},
	} {
		_, err := w.SetAlarmState(
			t.Context(),
			&cloudwatch.SetAlarmStateInput{
				AlarmName:   &step.alarm,
				StateValue:  types.StateValue(step.state),
				StateReason: aws.String("test"),
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.DescribeAlarms(t.Context(),
			&cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"CompositeAlarm"}})
		if err != nil || len(out.CompositeAlarms) != 1 || string(out.CompositeAlarms[0].StateValue) != step.want {
			t.Errorf("after %s is %s: %+v, %v; want %s", step.alarm, step.state, out.CompositeAlarms, err, step.want)
		}
	}
}
