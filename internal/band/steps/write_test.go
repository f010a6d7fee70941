package steps

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/cfn"

	"sqs-dynamic-target-tracking/internal/band"
)

func (c *cloud) mover() Mover {
	return Mover{Scaling: c, Parameters: c, Target: Target{resource}, Parameter: parameter, MinTasks: 1, MaxTasks: 100}
}

func (c *cloud) armer() Armer {
	return Armer{
		Scaling: c, Parameters: c, Target: Target{resource}, Parameter: parameter, MinTasks: 1, MaxTasks: 100,
		CeilingAfter: band.CeilingAfter, FloorAfter: band.FloorAfter, Now: func() time.Time { return noon },
	}
}

func atWork(t *testing.T) *cloud {
	t.Helper()
	c := world(t)
	c.store(t, State{Owner: OfBand, Run: run, Until: noon.Add(time.Minute), Memory: band.Memory{Ceiling: 9.5},
		ProcessingSeconds: 7})
	return c
}

func TestMove(t *testing.T) {
	c := atWork(t)
	moved, err := c.mover().Move(t.Context(), MoveRequest{run, band.Bounds{Floor: 12, Ceiling: 20}})
	if err != nil || moved.Summary != "service/main/orders has at least 12 and at most 20 tasks" {
		t.Errorf("%+v, %v", moved, err)
	}
	if !reflect.DeepEqual(c.registered, []band.Bounds{{Floor: 12, Ceiling: 20}}) {
		t.Errorf("written: %v", c.registered)
	}
	for _, b := range []band.Bounds{{Floor: 0, Ceiling: 5}, {Floor: 5, Ceiling: 101}, {Floor: 6, Ceiling: 5}} {
		if _, err := c.mover().Move(t.Context(), MoveRequest{run, b}); err == nil ||
			!strings.Contains(err.Error(), "they must ascend within 1 and 100") {
			t.Errorf("%v: %v", b, err)
		}
	}
	c.fail["RegisterScalableTarget"] = errors.New("throttled")
	_, err = c.mover().Move(t.Context(), MoveRequest{run, band.Bounds{Floor: 12, Ceiling: 20}})
	if err == nil || err.Error() != "set the bounds of service/main/orders to 12 and 20: throttled" {
		t.Errorf("got %v", err)
	}
	if len(c.registered) != 1 {
		t.Errorf("written: %v", c.registered)
	}
}

func TestTheDeadManIsPutOff(t *testing.T) {
	c := atWork(t)
	armer := c.armer()
	for _, after := range []time.Duration{0, time.Minute} { // again, under the same names
		now := noon.Add(after + 300*time.Millisecond)
		armer.Now = func() time.Time { return now }
		armed, err := armer.Arm(t.Context(), ArmRequest{Execution: run})
		if err != nil {
			t.Fatal(err)
		}
		want := Armed{CeilingAt: noon.Add(after + 301*time.Second), FloorAt: noon.Add(after + 3601*time.Second)}
		armed.Summary = ""
		if armed != want {
			t.Errorf("armed for %+v, want %+v: whole seconds, not before", armed, want)
		}
	}
	ceiling, floor := c.actions[CeilingAction], c.actions[FloorAction]
	if len(c.actions) != 2 || *ceiling.Schedule != "at(2026-11-28T12:06:31)" ||
		*floor.Schedule != "at(2026-11-28T13:01:31)" {
		t.Errorf("scheduled: %v", c.actions)
	}
	if a := ceiling.ScalableTargetAction; a.MinCapacity != nil || *a.MaxCapacity != 100 {
		t.Errorf("the ceiling goes back to %+v", a)
	}
	if a := floor.ScalableTargetAction; a.MaxCapacity != nil || *a.MinCapacity != 1 {
		t.Errorf("the floor goes back to %+v", a)
	}
	c.fail["PutScheduledAction"] = errors.New("throttled")
	if _, err := armer.Arm(t.Context(), ArmRequest{Execution: run}); err == nil || !strings.Contains(err.Error(),
		"put the scheduled action band-gives-back-the-ceiling of service/main/orders off: throttled") {
		t.Errorf("got %v", err)
	}
}

func TestRemember(t *testing.T) {
	c := atWork(t)
	keeper := Keeper{c, parameter}
	memory := band.Memory{LookedAt: noon, At: noon, Ceiling: 11.5}
	if _, err := keeper.Remember(t.Context(), RememberRequest{run, memory, 4}); err != nil {
		t.Fatal(err)
	}
	want := State{Owner: OfBand, Memory: memory, ProcessingSeconds: 4}
	if got := c.state(t); !reflect.DeepEqual(got, want) {
		t.Errorf("remembers %+v, want %+v: without a claim", got, want)
	}

	c = atWork(t)
	if _, err := (Keeper{c, parameter}).Remember(t.Context(), RememberRequest{Execution: run}); err != nil {
		t.Fatal(err)
	}
	if got := c.state(t); got.Memory.Ceiling != 9.5 || got.ProcessingSeconds != 7 || got.Run != "" {
		t.Errorf("a run without a look leaves %+v", got)
	}
}

// TestDecide: the step is the rule, and passes the memory on.
func TestDecide(t *testing.T) {
	settings := band.Settings{
		AcceptableDelay: time.Minute, Concurrency: 1, MinTasks: 1, MaxTasks: 100, LookInterval: band.LookInterval,
	}
	look := band.Look{At: noon, Visible: 164, InFlight: 8, Running: 8, Desired: 8, ProcessingSeconds: 5}
	decided, err := Decide(settings, DecideRequest{Look: look})
	if err != nil || decided.Floor != 83 || decided.Memory.Ceiling < 82 || !decided.Moves {
		t.Errorf("%+v, %v", decided, err)
	}
	look.ProcessingSeconds = 0
	if _, err := Decide(settings, DecideRequest{Look: look}); err == nil {
		t.Error("a duration of nothing is accepted")
	}
}

func properties(state string) map[string]any {
	return map[string]any{"State": state, "MinTasks": "2", "MaxTasks": "50"}
}

func (c *cloud) handle(t *testing.T, kind cfn.RequestType, given map[string]any) (map[string]any, error) {
	t.Helper()
	var answer map[string]any
	var failure error
	synctest.Test(t, func(t *testing.T) { // for the pause
		var id string
		id, answer, failure = Switch{Scaling: c, Parameters: c, Target: Target{resource}, Parameter: parameter}.Handle(
			t.Context(), cfn.Event{RequestType: kind, ResourceProperties: given})
		if id != parameter {
			t.Errorf("the physical id is %q: another one would have the old resource deleted", id)
		}
	})
	return answer, failure
}

func TestSwitchedOn(t *testing.T) {
	c := world(t)
	c.parameter = "{}" // as the stack made it
	answer, err := c.handle(t, cfn.RequestCreate, properties("ENABLED"))
	if err != nil || answer["Owner"] != "band" || c.state(t).Owner != OfBand {
		t.Errorf("%v, %v, %s", answer, err, c.parameter)
	}
	puts := c.puts
	if _, err := c.handle(t, cfn.RequestUpdate, properties("ENABLED")); err != nil || c.puts != puts {
		t.Errorf("an update writes the parameter again (%v)", err)
	}
	if len(c.registered) > 0 {
		t.Error("the bounds were moved: the next look does that")
	}
}

func TestSwitchedOffFromTheBeginning(t *testing.T) {
	c := world(t)
	c.parameter = "{}"
	answer, err := c.handle(t, cfn.RequestCreate, properties("DISABLED"))
	if err != nil || answer["Owner"] != "template" || len(c.registered) > 0 {
		t.Errorf("%v, %v, written %v", answer, err, c.registered)
	}
}

func TestSwitchedOff(t *testing.T) {
	c := atWork(t)
	if _, err := c.armer().Arm(t.Context(), ArmRequest{Execution: run}); err != nil {
		t.Fatal(err)
	}
	answer, err := c.handle(t, cfn.RequestUpdate, properties("DISABLED"))
	if err != nil || answer["Owner"] != "template" {
		t.Fatalf("%v, %v", answer, err)
	}
	if !reflect.DeepEqual(c.registered, []band.Bounds{{Floor: 2, Ceiling: 50}}) {
		t.Errorf("written: %v, want the template's bounds once", c.registered)
	}
	if len(c.actions) > 0 {
		t.Errorf("still scheduled: %v", c.actions)
	}
	if got := c.state(t); got.Owner != OfTemplate || got.Run != "" || got.ProcessingSeconds != 7 {
		t.Errorf("the state is %+v", got)
	}
	// The run that was at work comes too late for anything.
	if _, err := c.mover().Move(t.Context(), MoveRequest{run, band.Bounds{Floor: 5, Ceiling: 6}}); err == nil {
		t.Error("it moves the bounds")
	}
}

// TestSwitchedOffWhileAStepWrites: a step that found itself at work writes a moment later; the switch looks twice.
func TestSwitchedOffWhileAStepWrites(t *testing.T) {
	c := atWork(t)
	c.disarmed = func(c *cloud) {
		c.store(t, State{Owner: OfBand, Memory: band.Memory{Ceiling: 3}})
		c.bounds = &band.Bounds{Floor: 5, Ceiling: 6}
	}
	if _, err := c.handle(t, cfn.RequestUpdate, properties("DISABLED")); err != nil {
		t.Fatal(err)
	}
	if *c.bounds != (band.Bounds{Floor: 2, Ceiling: 50}) || c.state(t).Owner != OfTemplate || c.disarmed != nil {
		t.Errorf("bounds %v of the %s at the end", *c.bounds, c.state(t).Owner)
	}
}

func TestDeleted(t *testing.T) {
	c := atWork(t)
	if _, err := c.armer().Arm(t.Context(), ArmRequest{Execution: run}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.handle(t, cfn.RequestDelete, properties("ENABLED")); err != nil {
		t.Fatal(err)
	}
	if c.state(t).Owner != OfTemplate || len(c.actions) > 0 {
		t.Errorf("state %+v, scheduled %v", c.state(t), c.actions)
	}
	c.parameter = ""
	if _, err := c.handle(t, cfn.RequestDelete, nil); err != nil || c.parameter != "" {
		t.Errorf("what is gone already: %v, parameter %q", err, c.parameter)
	}
}

func TestSwitchRefuses(t *testing.T) {
	c := world(t)
	for _, given := range []map[string]any{
		{"MinTasks": "1", "MaxTasks": "10"}, {"State": "ENABLED", "MinTasks": "1.5", "MaxTasks": "10"},
		{"State": "DISABLED", "MinTasks": "1"}, {"State": "on", "MinTasks": "1", "MaxTasks": "10"},
	} {
		if _, err := c.handle(t, cfn.RequestUpdate, given); err == nil {
			t.Errorf("%v is accepted", given)
		}
	}
	c.parameter = "off" // by hand: the switch makes it good
	if _, err := c.handle(t, cfn.RequestUpdate, properties("ENABLED")); err != nil || c.state(t).Owner != OfBand {
		t.Errorf("%v, %s", err, c.parameter)
	}
}
