package statemachines

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
)

// limitExpression is a time limit that is known only when the execution runs.
var limitExpression = regexp.MustCompile(`"TimeoutSeconds": "\{% [^"]* %\}"`)

// verification is the definition of the verify machine, with a number in place of each time limit that is an
// expression.
func verification(t *testing.T) (d definition, text string) {
	t.Helper()
	content, err := os.ReadFile("verify.asl.json")
	if err != nil {
		t.Fatal(err)
	}
	text = string(content)
	numbers := limitExpression.ReplaceAllString(text, `"TimeoutSeconds": 3`)
	if err := json.Unmarshal([]byte(numbers), &d); err != nil {
		t.Fatal(err)
	}
	return d, text
}

func TestVerifyDefinition(t *testing.T) {
	d, text := verification(t)
	checkConnected(t, "verify", d)

	var placeholders []string
	for _, match := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(placeholders, match[1]) {
			placeholders = append(placeholders, match[1])
		}
	}
	sort.Strings(placeholders)
	want := []string{
		"NotificationTopicArn", "OutcomeFunctionArn", "PrepareFunctionArn", "QueueUrl", "ReportFunctionArn",
		"RollbackFunctionArn", "RolloutFunctionArn", "StackName",
	}
	if !slices.Equal(placeholders, want) {
		t.Errorf("placeholders are %v, want %v", placeholders, want)
	}

	for name, s := range d.States {
		if question := strings.HasSuffix(name, "?"); question != (s.Type == "Choice") {
			t.Errorf("%q is a %s", name, s.Type)
		}
		if s.Type != "Task" {
			continue
		}
		if s.Comment == "" {
			t.Errorf("%q has no comment", name)
		}
		if s.TimeoutSeconds == 0 {
			t.Errorf("%q may run for ever", name)
		}
		if last := s.Catch[len(s.Catch)-1]; !slices.Equal(last.ErrorEquals, []string{"States.ALL"}) {
			t.Errorf("%q does not catch everything", name)
		}
		for _, transient := range transient {
			if strings.HasPrefix(s.Resource, "${") && !slices.Contains(s.Retry[0].ErrorEquals, transient) {
				t.Errorf("%q does not retry %s", name, transient)
			}
		}
	}
}

// TestDefect19_EveryBadEndNotifies: the original's failures notify nobody. Here the one Fail comes after the one
// notification, and nothing that fails leads past it.
func TestDefect19_EveryBadEndNotifies(t *testing.T) {
	d, _ := verification(t)
	for name, s := range d.States {
		if slices.Contains(s.successors(), "Verification Failed") && name != "Notify" {
			t.Errorf("%q leads to the failure without a notification", name)
		}
		if s.Type == "Fail" && name != "Verification Failed" || strings.HasSuffix(s.Resource, "sns:publish") &&
			name != "Notify" {
			t.Errorf("%q is another failure or notification", name)
		}
		if !strings.HasPrefix(s.Resource, "${") || name == "Roll Back" {
			continue // a canary that failed, or a rollback that did, goes on to be judged and reported
		}
		if to := s.Catch[0].Next; to != "Describe Failure" {
			t.Errorf("the failure of %q leads to %q", name, to)
		}
	}
	if to := d.States["Ended Well?"].successors(); !slices.Equal(to, []string{"Notify", "Verified"}) {
		t.Errorf("what did not end well leads to %q", to)
	}
}

// TestVerifyRollsBackOnlyWhatWasJudged: a step that fails proves nothing. The ways to Roll Back lead over a Choice that
// saw a failed rollout or a bad outcome, and from Roll Back nothing leads but to itself and to the report.
func TestVerifyRollsBackOnlyWhatWasJudged(t *testing.T) {
	d, _ := verification(t)
	var askers []string
	for name, s := range d.States {
		if slices.Contains(s.successors(), "Roll Back Wanted?") {
			askers = append(askers, name)
		}
		if slices.Contains(s.successors(), "Roll Back") && name != "Roll Back Wanted?" && name != "Wait For Roll Back" {
			t.Errorf("%q leads to Roll Back", name)
		}
	}
	sort.Strings(askers)
	if !slices.Equal(askers, []string{"Healthy?", "Rollout Settled?"}) {
		t.Errorf("%q may ask for a rollback", askers)
	}
	if to := d.States["Roll Back"].successors(); !slices.Equal(to, []string{"Rolled Back?", "Write Report"}) {
		t.Errorf("Roll Back leads to %q", to)
	}
}

// TestVerifyHistory counts the events of the slowest execution: Step Functions ends one at 25,000.
func TestVerifyHistory(t *testing.T) {
	const (
		wait    = 15              // seconds of each Wait
		longest = 3 * 2 * 60 * 60 // seconds that rollout, soak time and rollback may take, each at its limit
		look    = 11              // Task 5, two Choices 4, Wait 2
		around  = 500
	)
	if events := longest/wait*look + around; events >= 25_000 {
		t.Errorf("up to %d events", events)
	}
	_, text := verification(t)
	if n := strings.Count(text, `"Seconds": 15`); n != 3 {
		t.Errorf("%d states wait 15 s, want 3", n)
	}
}
