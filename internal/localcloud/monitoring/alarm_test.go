package monitoring

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

const topic = "arn:aws:sns:us-east-1:000000000000:notify"

func simpleAlarm(name string) *cloudwatch.PutMetricAlarmInput {
	return &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String("Test"), MetricName: aws.String("DeadLetters"),
		Dimensions: queueDimension,
		Statistic:  types.StatisticMaximum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(3),
		DatapointsToAlarm: aws.Int32(2),
		Threshold:         aws.Float64(0), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
		TreatMissingData: aws.String("notBreaching"), AlarmActions: []string{topic}, OKActions: []string{topic},
	}
}

// feed puts a value each minute.
func (w *world) feed(t *testing.T, values ...float64) {
	t.Helper()
	for _, v := range values {
		w.put(t, "Test", "DeadLetters", time.Now(), v)
		time.Sleep(time.Minute)
	}
}

func (w *world) state(t *testing.T, name string) types.MetricAlarm {
	t.Helper()
	out, err := w.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
	if err != nil || len(out.MetricAlarms) != 1 {
		t.Fatalf("DescribeAlarms of %s: %d alarms, %v", name, len(out.MetricAlarms), err)
	}
	return out.MetricAlarms[0]
}

func TestAnAlarmFiresIsToldAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.run(t)
		if _, err := w.PutMetricAlarm(t.Context(), simpleAlarm("dlq")); err != nil {
			t.Fatal(err)
		}
		if a := w.state(t, "dlq"); a.StateValue != types.StateValueInsufficientData ||
			*a.StateReason != "Unchecked: Initial alarm creation" {
			t.Errorf("a new alarm is %s: %s", a.StateValue, *a.StateReason)
		}
		w.feed(t, 0, 0, 0)
		if a := w.state(t, "dlq"); a.StateValue != types.StateValueOk {
			t.Errorf("with nothing wrong: %s: %s", a.StateValue, *a.StateReason)
		}
		w.feed(t, 3, 0, 3, 0)
		a := w.state(t, "dlq")
		if a.StateValue != types.StateValueAlarm || !strings.Contains(*a.StateReason, "Threshold Crossed") ||
			!json.Valid([]byte(aws.ToString(a.StateReasonData))) {
			t.Errorf("2 of 3 breach: %s: %s %s", a.StateValue, *a.StateReason, aws.ToString(a.StateReasonData))
		}
		w.feed(t, 0, 0, 0, 0)
		if a := w.state(t, "dlq"); a.StateValue != types.StateValueOk {
			t.Errorf("later: %s", a.StateValue)
		}
		synctest.Wait()
		w.checkTold(t)
	})
}

func (w *world) checkTold(t *testing.T) {
	t.Helper()
	w.sent.mu.Lock()
	defer w.sent.mu.Unlock()
	var told []string
	for _, e := range w.sent.events {
		detail := e["detail"].(map[string]any)
		told = append(
			told,
			fmt.Sprint(detail["alarmName"], " ", detail["previousState"].(map[string]any)["value"], " -> ",
				detail["state"].(map[string]any)["value"]),
		)
	}
	want := "[dlq INSUFFICIENT_DATA -> OK dlq OK -> ALARM dlq ALARM -> OK]"
	if fmt.Sprint(told) != want || w.sent.events[0]["type"] != "CloudWatch Alarm State Change" {
		t.Errorf("events: %v, want %s", told, want)
	}
	if len(w.sent.notes) != 3 || !strings.HasPrefix(w.sent.notes[1], topic+"\nALARM: \"dlq\" in us-east-1\n{") ||
		!strings.Contains(w.sent.notes[1], `"NewStateValue":"ALARM"`) {
		t.Errorf("notifications: %q", w.sent.notes)
	}
	history, err := w.DescribeAlarmHistory(t.Context(),
		&cloudwatch.DescribeAlarmHistoryInput{AlarmName: aws.String("dlq"), ScanBy: types.ScanByTimestampAscending})
	if err != nil || len(history.AlarmHistoryItems) != 4 ||
		*history.AlarmHistoryItems[2].HistorySummary != "Alarm updated from OK to ALARM" {
		t.Errorf("history: %+v, %v", history, err)
	}
}

func TestAMetricMathAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.run(t)
		in := simpleAlarm("math")
		in.Namespace, in.MetricName, in.Statistic, in.Period, in.Dimensions = nil, nil, "", nil, nil
		m := query("dead", "DeadLetters", "Maximum", 60)
		m.ReturnData = aws.Bool(false)
		in.Metrics = []types.MetricDataQuery{
			m,
			{Id: aws.String("e"), Expression: aws.String("IF(dead > 2, 1, 0)"), Label: aws.String("many")},
		}
		if _, err := w.PutMetricAlarm(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		w.feed(t, 1, 2, 3, 3, 3)
		a := w.state(t, "math")
		if a.StateValue != types.StateValueAlarm || len(a.Metrics) != 2 || a.MetricName != nil {
			t.Errorf("alarm is %s: %+v", a.StateValue, a)
		}
	})
}

func TestSetAlarmStateLastsUntilTheNextEvaluation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.run(t)
		if _, err := w.PutMetricAlarm(t.Context(), simpleAlarm("dlq")); err != nil {
			t.Fatal(err)
		}
		w.feed(t, 0, 0, 0)
		_, err := w.SetAlarmState(
			t.Context(),
			&cloudwatch.SetAlarmStateInput{
				AlarmName:   aws.String("dlq"),
				StateValue:  "ALARM",
				StateReason: aws.String("drill"),
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		if a := w.state(t, "dlq"); a.StateValue != "ALARM" || *a.StateReason != "drill" {
			t.Errorf("set: %s %s", a.StateValue, *a.StateReason)
		}
		time.Sleep(time.Minute)
		if a := w.state(t, "dlq"); a.StateValue != "OK" {
			t.Errorf("a minute later: %s", a.StateValue)
		}
	})
}

func TestAlarmsAreListedAndDeleted(t *testing.T) {
	w := setup(t, nil)
	for i := range 120 {
		in := simpleAlarm(fmt.Sprintf("a%03d", i))
		in.Tags = []types.Tag{{Key: aws.String("n"), Value: aws.String(fmt.Sprint(i))}}
		if i%2 == 1 {
			in.AlarmActions = nil
			in.OKActions = nil
		}
		if _, err := w.PutMetricAlarm(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		in   cloudwatch.DescribeAlarmsInput
		want int
	}{
		{cloudwatch.DescribeAlarmsInput{}, 120},
		{cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("a01")}, 10},
		{cloudwatch.DescribeAlarmsInput{ActionPrefix: aws.String("arn:aws:sns")}, 60},
		{cloudwatch.DescribeAlarmsInput{StateValue: "ALARM"}, 0},
		{cloudwatch.DescribeAlarmsInput{AlarmTypes: []types.AlarmType{"CompositeAlarm"}}, 0},
		{cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"a001", "nope"}}, 1},
	} {
		n := 0
		for pages := cloudwatch.NewDescribeAlarmsPaginator(w.Client, &c.in); pages.HasMorePages(); {
			p, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n += len(p.MetricAlarms)
		}
		if n != c.want {
			t.Errorf("%+v: %d alarms, want %d", c.in, n, c.want)
		}
	}
	arn := w.state(t, "a007").AlarmArn
	tags, err := w.ListTagsForResource(t.Context(), &cloudwatch.ListTagsForResourceInput{ResourceARN: arn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "7" {
		t.Errorf("tags %+v, %v", tags, err)
	}
	_, err = w.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a007", "nope"}})
	if err == nil {
		t.Error("one of two alarms is unknown, and the deletion is not refused")
	}
	if _, err := w.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a007"}}); err != nil {
		t.Error(err)
	}
	_, err = w.ListTagsForResource(t.Context(), &cloudwatch.ListTagsForResourceInput{ResourceARN: arn})
	if code, _ := faultOf(err); code != "ResourceNotFoundException" {
		t.Errorf("tags of a deleted alarm: %v", err)
	}
}

func TestAlarmsRefused(t *testing.T) {
	w := setup(t, nil)
	type input = *cloudwatch.PutMetricAlarmInput
	for message, change := range map[string]func(input){
		"'evaluationPeriods' failed to satisfy":   func(in input) { in.EvaluationPeriods = aws.Int32(0) },
		"Value null at 'comparisonOperator'":      func(in input) { in.ComparisonOperator = "" },
		"Member must satisfy enum value set":      func(in input) { in.ComparisonOperator = "Near" },
		"The parameter Threshold is required":     func(in input) { in.Threshold = nil },
		"DatapointsToAlarm (4) must be less":      func(in input) { in.DatapointsToAlarm = aws.Int32(4) },
		"TreatMissingData is invalid":             func(in input) { in.TreatMissingData = aws.String("hope") },
		"Exactly one of MetricName and Metrics":   func(in input) { in.MetricName = nil },
		"The parameter Period is required":        func(in input) { in.Period = nil },
		"must be 10, 20, 30, or a multiple of 60": func(in input) { in.Period = aws.Int32(45) },
		"across more than a day":                  func(in input) { in.EvaluationPeriods = aws.Int32(1500) },
		"Invalid action ARN":                      func(in input) { in.AlarmActions = []string{"mail me"} },
		"[6 members]' at 'alarmActions'": func(in input) {
			in.AlarmActions = []string{topic, topic, topic, topic, topic, topic}
		},
	} {
		in := simpleAlarm("a")
		change(in)
		_, err := w.PutMetricAlarm(t.Context(), in)
		if _, m := faultOf(err); !strings.Contains(m, message) {
			t.Errorf("want a refusal with %q, got %v", message, err)
		}
	}
}
