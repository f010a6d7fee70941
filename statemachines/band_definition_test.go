package statemachines

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestBandDefinition: like the other machines, but that a failed step ends no run, and that no execution tells of
// itself: it would do so each minute.
func TestBandDefinition(t *testing.T) {
	d, text := load(t, "band")
	checkConnected(t, "band", d)
	for name, s := range d.States {
		if question := strings.HasSuffix(name, "?"); question != (s.Type == "Choice") {
			t.Errorf("%q is a %s", name, s.Type)
		}
		if s.Type != "Task" {
			continue
		}
		if s.Comment == "" || s.TimeoutSeconds == 0 || s.TimeoutSeconds > 10 {
			t.Errorf("%q: comment %q, %d s", name, s.Comment, s.TimeoutSeconds)
		}
		last := s.Catch[len(s.Catch)-1]
		if !slices.Equal(last.ErrorEquals, []string{"States.ALL"}) || last.Next != "Note Failure" {
			t.Errorf("%q does not note every failure", name)
		}
		for _, want := range transient {
			if !slices.Contains(s.Retry[0].ErrorEquals, want) {
				t.Errorf("%q does not retry %s", name, want)
			}
		}
		// Only Decide asks nothing: it has no access to anything.
		if first := s.Catch[0]; name != "Decide Bounds" &&
			(!slices.Equal(first.ErrorEquals, []string{"AnotherRunAtWork", "BandSwitchedOff"}) ||
				first.Next != "Failed Before?") {
			t.Errorf("%q goes on when the bounds are not its own", name)
		}
	}
	if strings.Contains(text, "sns") {
		t.Error("an execution tells of itself")
	}
}

// TestALookThatFailsMovesNothing: no way leads from a look that failed, or is not believed, to a step that writes.
func TestALookThatFailsMovesNothing(t *testing.T) {
	d, _ := load(t, "band")
	for _, task := range []string{"Look at Queue", "Decide Bounds", "Arm Dead Man"} {
		for _, c := range d.States[task].Catch {
			if c.Next == "Moved?" || c.Next == "Move Bounds" || c.Next == "Arm Dead Man" {
				t.Errorf("after a failure of %q comes %q", task, c.Next)
			}
		}
	}
	if next := d.States["Note Failure"].Next; next != "More Looks?" {
		t.Errorf("after a failure comes %q", next)
	}
	before := map[string][]string{}
	for name, s := range d.States {
		for _, next := range s.successors() {
			before[next] = append(before[next], name)
		}
	}
	if got := before["Move Bounds"]; !slices.Equal(got, []string{"Moved?"}) {
		t.Errorf("Move Bounds comes after %v", got)
	}
	slices.Sort(before["Moved?"])
	if got := before["Moved?"]; !slices.Equal(got, []string{"Arm Dead Man", "To Be Armed?"}) {
		t.Errorf("Moved? comes after %v: nothing may move before the dead man is armed", got)
	}
}

// TestARunFitsIntoItsMinute: three looks and two waits, and an end before the claim of the run does.
func TestARunFitsIntoItsMinute(t *testing.T) {
	_, text := load(t, "band")
	var limit struct{ TimeoutSeconds int }
	if err := json.Unmarshal([]byte(text), &limit); err != nil {
		t.Fatal(err)
	}
	if limit.TimeoutSeconds < 2*20+10 || limit.TimeoutSeconds > 55 {
		t.Errorf("a run may take %d s", limit.TimeoutSeconds)
	}
	if !strings.Contains(text, "$look <= 3") {
		t.Error("a run does not have three looks")
	}
}
