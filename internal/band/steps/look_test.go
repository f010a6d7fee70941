package steps

import (
	"errors"
	"reflect"
	"testing"
	"time"

	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"sqs-dynamic-target-tracking/internal/band"
)

func TestTheFirstLookOfARun(t *testing.T) {
	c := world(t)
	seen, err := c.looker().Look(t.Context(), LookRequest{Execution: run})
	if err != nil {
		t.Fatal(err)
	}
	minute := func(ago int) time.Time { return noon.Truncate(time.Minute).Add(-time.Duration(ago) * time.Minute) }
	want := Seen{
		Look: band.Look{
			At: noon, Visible: 40, InFlight: 8, Running: 8, Desired: 9, InForce: band.Bounds{Floor: 8, Ceiling: 10},
			ProcessingSeconds: 5, // (300 + 500) / (60 + 100): each message weighs the same
			Sent: []band.Sent{ // the newest three, without the minute that is not over
				{From: minute(3), PeriodSeconds: 60, Messages: 80},
				{From: minute(2), PeriodSeconds: 60, Messages: 96},
				{From: minute(1), PeriodSeconds: 60, Messages: 100},
			},
		},
		Memory: band.Memory{LookedAt: noon.Add(-20 * time.Second), Ceiling: 9.5},
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("got  %+v\nwant %+v", seen, want)
	}
	claim := c.state(t)
	if claim.Run != run || claim.Until != noon.Add(55*time.Second) || claim.Memory.Ceiling != 9.5 ||
		claim.ProcessingSeconds != 7 || claim.Owner != OfBand {
		t.Errorf("the claim is %+v", claim)
	}
	if len(c.registered) > 0 {
		t.Error("a look moved the bounds")
	}
}

func TestTheNextLookOfARunReadsNoMetrics(t *testing.T) {
	c := world(t)
	c.store(t, State{Owner: OfBand, Run: run, Until: noon.Add(time.Minute)})
	sent := []band.Sent{{From: noon, PeriodSeconds: 60, Messages: 9}}
	before := Seen{Look: band.Look{ProcessingSeconds: 3, Sent: sent}}
	memory := band.Memory{Ceiling: 12.25}
	seen, err := c.looker().Look(t.Context(), LookRequest{Execution: run, Before: &before, Memory: &memory})
	if err != nil {
		t.Fatal(err)
	}
	if seen.Look.ProcessingSeconds != 3 || !reflect.DeepEqual(seen.Look.Sent, before.Look.Sent) ||
		seen.Memory.Ceiling != 12.25 || seen.Look.Visible != 40 {
		t.Errorf("saw %+v", seen)
	}
	if len(c.statistics) > 0 || c.puts > 0 {
		t.Errorf("%d metrics read, %d writes of the parameter", len(c.statistics), c.puts)
	}
}

func TestProcessingDurationThatWasNotMeasured(t *testing.T) {
	c := world(t)
	c.processed = nil
	seen, err := c.looker().Look(t.Context(), LookRequest{Execution: run})
	if err != nil || seen.Look.ProcessingSeconds != 7 {
		t.Errorf("%g s (%v), want the last one known", seen.Look.ProcessingSeconds, err)
	}
	c.store(t, State{Owner: OfBand})
	seen, err = c.looker().Look(t.Context(), LookRequest{Execution: run})
	if err != nil || seen.Look.ProcessingSeconds != 5 {
		t.Errorf("%g s (%v), want the initial one", seen.Look.ProcessingSeconds, err)
	}
}

func TestDeployments(t *testing.T) {
	for state, want := range map[ecstypes.DeploymentRolloutState]bool{
		ecstypes.DeploymentRolloutStateInProgress: true, ecstypes.DeploymentRolloutStateCompleted: false,
		ecstypes.DeploymentRolloutStateFailed: false,
	} {
		c := world(t)
		c.service.Deployments = []ecstypes.Deployment{
			{RolloutState: ecstypes.DeploymentRolloutStateCompleted}, {RolloutState: state},
		}
		seen, err := c.looker().Look(t.Context(), LookRequest{Execution: run})
		if err != nil || seen.Look.Deploying != want {
			t.Errorf("%s: deploying %v (%v)", state, seen.Look.Deploying, err)
		}
	}
}

// TestRunsDoNotOverlap: whoever comes second leaves the bounds to the first.
func TestRunsDoNotOverlap(t *testing.T) {
	const other = "arn:aws:states:eu-west-1:111122223333:express:orders-band:2:2"
	for name, test := range map[string]struct {
		state     State
		meanwhile func(*cloud)
		refused   bool
	}{
		"the run before has ended":       {state: State{Owner: OfBand, Until: noon.Add(time.Hour)}},
		"written anew by CloudFormation": {},
		"the run before never ended":     {state: State{Owner: OfBand, Run: other, Until: noon}},
		"this very step, once more":      {state: State{Owner: OfBand, Run: run, Until: noon.Add(time.Minute)}},
		"the run before is at work": {state: State{Owner: OfBand, Run: other, Until: noon.Add(time.Second)},
			refused: true},
		"another one claims it in the same moment": {state: State{Owner: OfBand},
			meanwhile: func(c *cloud) { c.version++ }, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := world(t)
			c.store(t, test.state)
			c.meanwhile = test.meanwhile
			_, err := c.looker().Look(t.Context(), LookRequest{Execution: run})
			var refused *AnotherRunAtWork
			if errors.As(err, &refused) != test.refused || err != nil && !test.refused {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestOneOwner: no step of a run does anything once the bounds are not the band's, or not this run's.
func TestOneOwner(t *testing.T) {
	for name, test := range map[string]struct {
		state State
		want  string
	}{
		"switched off":      {State{Owner: OfTemplate}, "BandSwitchedOff"},
		"another run's":     {State{Owner: OfBand, Run: "another", Until: noon.Add(time.Minute)}, "AnotherRunAtWork"},
		"nobody's any more": {State{Owner: OfBand}, "AnotherRunAtWork"},
	} {
		t.Run(name, func(t *testing.T) {
			c := world(t)
			c.store(t, test.state)
			before := c.parameter
			next := LookRequest{Execution: run, Before: &Seen{}, Memory: &band.Memory{}}
			_, look := c.looker().Look(t.Context(), next)
			_, arm := c.armer().Arm(t.Context(), ArmRequest{Execution: run})
			_, move := c.mover().Move(t.Context(), MoveRequest{run, band.Bounds{Floor: 5, Ceiling: 6}})
			_, remember := Keeper{c, parameter}.Remember(t.Context(), RememberRequest{Execution: run})
			for step, err := range map[string]error{"look": look, "arm": arm, "move": move, "remember": remember} {
				var named interface{ ErrorName() string }
				if !errors.As(err, &named) || named.ErrorName() != test.want {
					t.Errorf("%s: got %v, want %s", step, err, test.want)
				}
			}
			if len(c.registered) > 0 || len(c.actions) > 0 || c.parameter != before {
				t.Error("something was written")
			}
		})
	}
}

func TestALookThatCannotBeTakenSaysWhy(t *testing.T) {
	broken := errors.New("throttled")
	for name, test := range map[string]struct {
		breaks func(*cloud)
		want   string
	}{
		"queue": {
			func(c *cloud) { c.fail["GetQueueAttributes"] = broken },
			"count the messages of https://queue: throttled",
		},
		"counts": {
			func(c *cloud) { c.visible = "many" },
			`count the messages of https://queue: ApproximateNumberOfMessages ` +
				`is "many", not a number`,
		},
		"tasks": {
			func(c *cloud) { c.fail["DescribeServices"] = broken },
			"describe the service orders: throttled",
		},
		"service gone": {
			func(c *cloud) { c.service = nil },
			"the service orders does not exist; deploy the stack again",
		},
		"bounds": {
			func(c *cloud) { c.fail["DescribeScalableTargets"] = broken },
			"read the bounds of service/main/orders: throttled",
		},
		"target gone": {
			func(c *cloud) { c.bounds = nil },
			"the scalable target service/main/orders does not exist; deploy the stack again",
		},
		"messages sent": {
			func(c *cloud) { c.fail["NumberOfMessagesSent"] = broken },
			"read the metric NumberOfMessagesSent of the queue orders: throttled",
		},
		"duration": {
			func(c *cloud) { c.fail["MsgProcessingDuration"] = broken },
			"read the metric MsgProcessingDuration of the queue orders: throttled",
		},
		"state": {
			func(c *cloud) { c.fail["GetParameter"] = broken },
			"read the band's state /orders/band: throttled",
		},
		"claim": {
			func(c *cloud) { c.fail["PutParameter"] = broken },
			"write the band's state /orders/band: throttled",
		},
		"state by hand": {
			func(c *cloud) { c.parameter = "off" },
			`the parameter /orders/band is not what the band wrote (invalid ` +
				`character 'o' looking for beginning of value); set it to {"owner":"band"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := world(t)
			test.breaks(c)
			_, err := c.looker().Look(t.Context(), LookRequest{Execution: run})
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestPeriodsThatCloudWatchKnows(t *testing.T) {
	for period, want := range map[time.Duration]time.Duration{
		time.Second: time.Second, 3 * time.Second: time.Second, time.Minute: time.Minute,
		90 * time.Second: 2 * time.Minute,
	} {
		if got := (MetricSource{Period: period}).readable(); got != want {
			t.Errorf("periods of %v are read with %v, want %v", period, got, want)
		}
	}
}
