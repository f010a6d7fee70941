package simulation

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/tracking"
)

func TestEveryAssumptionIsInTheCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Catalogue() {
		if seen[k.Name] {
			t.Errorf("%s is listed twice", k.Name)
		}
		seen[k.Name] = true
		if k.Evidence == "" || k.Meaning == "" || k.Source == "" {
			t.Errorf("%s lacks evidence, meaning or source: %+v", k.Name, k)
		}
	}
	for _, kind := range []reflect.Type{
		reflect.TypeFor[Assumptions](), reflect.TypeFor[tracking.Assumptions](), reflect.TypeFor[Prices](),
	} {
		for i := range kind.NumField() {
			name := kind.Field(i).Name
			if kind.Field(i).Type.Kind() == reflect.Struct {
				continue
			}
			if !slices.ContainsFunc(Catalogue(), func(k Assumption) bool { return strings.EqualFold(k.Name, name) }) {
				t.Errorf("%s.%s is not in the catalogue", kind, name)
			}
		}
	}
}

func TestAnAssumptionFileRoundTrips(t *testing.T) {
	want := DefaultAssumptions()
	want.StartUp, want.Tracking.ScaleInPace, want.Heartbeat = 90*time.Second, tracking.OneAtATime, false
	file, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := DefaultAssumptions()
	if err := got.Read(strings.NewReader(string(file))); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAnAssumptionThatCannotBeIsNamed(t *testing.T) {
	for file, want := range map[string]string{
		`{"startup": 4}`:              `no assumption "startup"`,
		`{"startUp": -1}`:             "startUp is -1 s; it must be at least 0",
		`{"startUp": "long"}`:         "startUp is long; it must be a number of seconds",
		`{"scaleInPace": "fast"}`:     "it must be one of proportional, one-at-a-time",
		`{"spotShare": 2}`:            "at most 1",
		`{"highPeriods": 2.5}`:        "a whole number",
		`{"heartbeat": 1}`:            "true or false",
		`{"stopTimeout": 300}`:        "Fargate allows at most 2m",
		`{"lowDatapoints": 16}`:       "LowDatapoints",
		`["startUp"]`:                 "JSON object",
		`{"period": 60, "alarmLag": `: "assumption file",
	} {
		a := DefaultAssumptions()
		err := a.Read(strings.NewReader(file))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", file, err, want)
		}
	}
}

// The calibration: AWS measured 363 s from a rise of the load to the scale-out with metrics by the minute.
func TestAStepScalesOutAsLateAsAWSMeasured(t *testing.T) {
	load := mustLoad(t, time.Hour, varying(240, func(at time.Duration) float64 {
		if at < 20*time.Minute {
			return 0.2
		}
		return 1
	}), Fixed(5*time.Second))
	s := scenario(load, 5)
	s.Bounds.Min = 1
	result := mustRun(t, s, trackSent{})
	first := result.Supply[slices.IndexFunc(result.Supply, func(step Step) bool { return step.At > 20*time.Minute })]
	started := first.At - 20*time.Minute - s.Assumptions.StartUp
	if started < 350*time.Second || started > 400*time.Second {
		t.Errorf("the first new task was launched about %v after the rise, want 363s", started)
	}
}

// trackSent is target tracking on the messages sent a minute and task.
type trackSent struct{}

func (trackSent) Name() string { return "sent" }

func (trackSent) Begin(c *Control) error {
	engine, err := c.Engine()
	if err != nil {
		return err
	}
	sent, running := Sent(), RunningTasks()
	return engine.PutTargetTracking(
		c.Now(),
		tracking.TargetTracking{Name: "sent", Target: 10, Metrics: []tracking.MetricQuery{
			{
				ID:     "sent",
				Metric: &sent,
			},
			{ID: "tasks", Metric: &running},
			{ID: "e", Expression: "sent / tasks", ReturnData: true},
		}},
	)
}
