package monitoring

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// putSuppressed makes the alarm "all" over "child", held back by "suppressor": wait 10 s, extension 20 s.
func putSuppressed(t *testing.T, w *world) {
	t.Helper()
	for _, name := range []string{"child", "suppressor"} {
		if _, err := w.PutMetricAlarm(t.Context(), simpleAlarm(name)); err != nil {
			t.Fatal(err)
		}
	}
	in := &cloudwatch.PutCompositeAlarmInput{
		AlarmName: aws.String("all"), AlarmRule: aws.String("ALARM(child)"), AlarmActions: []string{topic},
		ActionsSuppressor: aws.String("arn:aws:cloudwatch:us-east-1:000000000000:alarm:suppressor"),
	}
	if _, err := w.PutCompositeAlarm(t.Context(), in); err == nil {
		t.Error("a suppressor without periods is accepted")
	}
	in.ActionsSuppressorWaitPeriod, in.ActionsSuppressorExtensionPeriod = aws.Int32(10), aws.Int32(20)
	if _, err := w.PutCompositeAlarm(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

// TestASuppressorHoldsActionsBack: each story says at which second an alarm goes to ALARM (+) or to OK (-).
func TestASuppressorHoldsActionsBack(t *testing.T) {
	for _, test := range []struct {
		name, story string
		want        string // when the composite alarm acts, in seconds; its events are sent at once
	}{
		{"nobody suppresses: after the wait", "0 +child", "[10]"},
		{"over within the wait", "0 +child 5 -child", "[5]"}, // as OK, which nothing holds back
		{"the suppressor comes within the wait", "0 +child 5 +suppressor 60 -child", "[]"},
		{"still wrong after the extension", "0 +child 5 +suppressor 30 -suppressor", "[50]"},
		{"right again within the extension", "0 +child 5 +suppressor 30 -suppressor 40 -child", "[]"},
		{"goes wrong while suppressed", "0 +suppressor 30 +child 40 -suppressor", "[60]"},
		{"goes wrong in the extension", "0 +suppressor 30 -suppressor 40 +child", "[50]"},
		{"the suppressor comes back", "0 +suppressor 10 +child 30 -suppressor 40 +suppressor 60 -suppressor", "[80]"},
		{"told before, and not again", "0 +child 20 +suppressor 30 -suppressor", "[10]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := setup(t, nil)
			putSuppressed(t, w)
			s, began := w.server, time.Now()
			acted := []int{}
			s.mu.Lock()
			defer s.mu.Unlock()
			for len(s.calls) > 0 { // what the alarms did when they were made
				<-s.calls
			}
			story := strings.Fields(test.story)
			for second := range 100 {
				now := began.Add(time.Duration(second) * time.Second)
				if len(story) > 0 && story[0] == fmt.Sprint(second) {
					state := map[byte]types.StateValue{'+': types.StateValueAlarm, '-': types.StateValueOk}[story[1][0]]
					s.move(s.alarms[story[1][1:]], state, "test", "", now)
					story = story[2:]
				}
				s.settleSuppressions(now)
				for len(s.calls) > 0 {
					if a := <-s.calls; *a.after.AlarmName == "all" && !a.held {
						acted = append(acted, second)
					}
				}
			}
			if got := fmt.Sprint(acted); got != test.want || len(story) > 0 {
				t.Errorf("the alarm acted at %s, want %s", got, test.want)
			}
		})
	}
}

func TestAHeldAlarmSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.run(t)
		putSuppressed(t, w)
		for _, name := range []string{"suppressor", "child"} {
			_, err := w.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
				AlarmName: &name, StateValue: types.StateValueAlarm, StateReason: aws.String("test"),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		out, err := w.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{
			AlarmNames: []string{"all"}, AlarmTypes: []types.AlarmType{types.AlarmTypeCompositeAlarm},
		})
		if err != nil {
			t.Fatal(err)
		}
		a := out.CompositeAlarms[0]
		if a.StateValue != types.StateValueAlarm || a.ActionsSuppressedBy != types.ActionsSuppressedByAlarm ||
			aws.ToString(a.ActionsSuppressor) != "suppressor" || aws.ToInt32(a.ActionsSuppressorExtensionPeriod) != 20 {
			t.Errorf("the alarm is %+v", a)
		}
		synctest.Wait()
		w.sent.mu.Lock()
		defer w.sent.mu.Unlock()
		// The event of the change is sent, and the topic hears nothing.
		if !slices.ContainsFunc(w.sent.events, func(e map[string]any) bool {
			text := fmt.Sprint(e)
			return strings.Contains(text, "alarmName:all") && strings.Contains(text, "value:ALARM")
		}) {
			t.Errorf("the events are %v", w.sent.events)
		}
		if notes := strings.Join(w.sent.notes, ""); strings.Contains(notes, `ALARM: "all"`) ||
			!strings.Contains(notes, `ALARM: "child"`) {
			t.Errorf("the topic was told %s", notes)
		}
	})
}
