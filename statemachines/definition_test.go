// Package statemachines holds the definitions of the state machines and the tests of them: of the definitions as they
// are written, and (build tag local) of executions on the local engine that reach every state.
package statemachines

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/retune"
)

// definition is a state machine in the Amazon States Language, or the processor of a Map.
type definition struct {
	Comment       string
	QueryLanguage string
	StartAt       string
	States        map[string]state
}

type state struct {
	Type           string
	Comment        string
	Resource       string
	TimeoutSeconds int
	MaxConcurrency int
	Next           string
	Default        string
	End            bool
	Error, Cause   string
	Output         json.RawMessage
	Choices        []struct{ Next string }
	Catch          []struct {
		ErrorEquals []string
		Next        string
	}
	Retry []struct {
		ErrorEquals []string
		MaxAttempts int
	}
	ItemProcessor *definition
}

// machines names the definitions and the placeholders that the template fills.
var machines = map[string][]string{
	"produce": {"NotificationTopicArn", "PlanFunctionArn", "ReportFunctionArn", "SendFunctionArn", "StackName"},
	"retune": {
		"AgainFunctionArn", "ApplyFunctionArn", "CompareFunctionArn", "DecideFunctionArn", "MeasureFunctionArn",
		"NotificationTopicArn", "PublishFunctionArn", "StackName", "TurnFunctionArn",
	},
}

func load(t *testing.T, machine string) (definition, string) {
	t.Helper()
	text, err := os.ReadFile(machine + ".asl.json")
	if err != nil {
		t.Fatal(err)
	}
	var d definition
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", machine, err)
	}
	return d, string(text)
}

// all returns every state, those of Map processors included.
func (d definition) all() map[string]state {
	states := map[string]state{}
	for name, s := range d.States {
		states[name] = s
		if s.ItemProcessor != nil {
			for inner, s := range s.ItemProcessor.all() {
				states[inner] = s
			}
		}
	}
	return states
}

func (s state) successors() []string {
	next := []string{s.Next, s.Default}
	for _, choice := range s.Choices {
		next = append(next, choice.Next)
	}
	for _, catch := range s.Catch {
		next = append(next, catch.Next)
	}
	return slices.DeleteFunc(next, func(name string) bool { return name == "" })
}

// TestPlaceholders: what the template does not fill would reach the machine as it is.
func TestPlaceholders(t *testing.T) {
	for machine, want := range machines {
		_, text := load(t, machine)
		var got []string
		for _, match := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(text, -1) {
			if !slices.Contains(got, match[1]) {
				got = append(got, match[1])
			}
		}
		sort.Strings(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: placeholders %v, want %v", machine, got, want)
		}
	}
}

// TestStatesAreConnected: every state can be reached, and every transition leads to a state.
func TestStatesAreConnected(t *testing.T) {
	for machine := range machines {
		d, _ := load(t, machine)
		checkConnected(t, machine, d)
	}
}

func checkConnected(t *testing.T, machine string, d definition) {
	t.Helper()
	reached, todo := map[string]bool{}, []string{d.StartAt}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		s, exists := d.States[name]
		if !exists {
			t.Errorf("%s: a transition leads to %q, which is no state", machine, name)
			continue
		}
		if reached[name] {
			continue
		}
		reached[name] = true
		todo = append(todo, s.successors()...)
		if s.ItemProcessor != nil {
			checkConnected(t, machine+"/"+name, *s.ItemProcessor)
		}
	}
	for name := range d.States {
		if !reached[name] {
			t.Errorf("%s: no way leads to %q", machine, name)
		}
	}
}

// transient are the errors of Lambda itself that AWS advises to retry.
var transient = []string{
	"Lambda.ClientExecutionTimeoutException", "Lambda.ServiceException", "Lambda.AWSLambdaException",
	"Lambda.SdkClientException", "Lambda.TooManyRequestsException",
}

// TestTasks: each Task has a time limit, retries what is transient, and leads to the one notification when it fails, by
// itself or through its Map.
func TestTasks(t *testing.T) {
	for machine := range machines {
		d, _ := load(t, machine)
		inMap := map[string]bool{}
		for _, s := range d.States {
			if s.ItemProcessor != nil {
				for name := range s.ItemProcessor.States {
					inMap[name] = true
				}
			}
		}
		for name, s := range d.all() {
			if s.Type == "Task" && s.TimeoutSeconds == 0 {
				t.Errorf("%s: %q may run for ever", machine, name)
			}
			if s.Type == "Task" && strings.HasPrefix(s.Resource, "${") {
				for _, want := range transient {
					if len(s.Retry) != 1 || !slices.Contains(s.Retry[0].ErrorEquals, want) {
						t.Errorf("%s: %q does not retry %s", machine, name, want)
					}
				}
			}
			if (s.Type == "Task" || s.Type == "Map") && !inMap[name] {
				if len(s.Catch) != 1 || !slices.Equal(s.Catch[0].ErrorEquals, []string{"States.ALL"}) {
					t.Errorf("%s: %q does not catch everything", machine, name)
				} else if to := s.Catch[0].Next; to != "Describe Failure" && d.States[to].Type != "Fail" {
					t.Errorf("%s: the failure of %q leads to %q", machine, name, to)
				}
			}
		}
	}
}

// notices are the Tasks that notify of something else than a failure.
var notices = []string{"Notify Restore"}

// TestOneNotification: every failure passes the one Task that notifies, then fails with an error and a cause.
func TestOneNotification(t *testing.T) {
	for machine := range machines {
		d, _ := load(t, machine)
		var notifying, failing []string
		for name, s := range d.all() {
			if strings.HasSuffix(s.Resource, "sns:publish") && !slices.Contains(notices, name) {
				notifying = append(notifying, name)
			}
			if s.Type == "Fail" {
				failing = append(failing, name)
				if s.Error == "" || s.Cause == "" {
					t.Errorf("%s: %q fails without error or cause", machine, name)
				}
			}
		}
		if len(notifying) != 1 || len(failing) != 1 {
			t.Fatalf("%s: %q notify, %q fail; want one each", machine, notifying, failing)
		}
		if next := d.States["Describe Failure"].Next; next != notifying[0] || d.States[next].Next != failing[0] {
			t.Errorf("%s: a failure goes from Describe Failure to %q", machine, next)
		}
	}
}

// TestNames: a Choice is a question, nothing else is, and what is not obvious has a comment.
func TestNames(t *testing.T) {
	for machine := range machines {
		d, _ := load(t, machine)
		if d.Comment == "" {
			t.Errorf("%s has no comment", machine)
		}
		if d.QueryLanguage != "JSONata" {
			t.Errorf("%s is written in %s", machine, d.QueryLanguage)
		}
		for name, s := range d.all() {
			if question := strings.HasSuffix(name, "?"); question != (s.Type == "Choice") {
				t.Errorf("%s: %q is a %s", machine, name, s.Type)
			}
			if (s.Type == "Task" || s.Type == "Map") && s.Comment == "" {
				t.Errorf("%s: %q has no comment", machine, name)
			}
		}
	}
}

// TestHistoryOfAMillionMessages counts the events of the largest execution at its worst: each range uses up its
// retries. Step Functions ends an execution at 25,000 events ("Quotas" in the AWS Step Functions Developer Guide).
func TestHistoryOfAMillionMessages(t *testing.T) {
	const (
		limit  = 25_000
		ranges = 1_000_000 / 1_000
		// MapIterationStarted, TaskStateEntered, three for the function, TaskStateExited, MapIterationSucceeded
		iteration = 7
		// LambdaFunctionScheduled, LambdaFunctionStarted, LambdaFunctionFailed
		repetition = 3
		// Everything outside the Map, with all retries: generous
		around = 200
	)
	d, _ := load(t, "produce")
	send := d.all()["Send Batch"]
	retries := 0
	for _, retry := range send.Retry {
		retries += retry.MaxAttempts
	}
	if events := around + ranges*(iteration+retries*repetition); events >= limit {
		t.Errorf("up to %d events; the limit is %d", events, limit)
	}
	if d.States["Send All Ranges"].MaxConcurrency != 10 {
		t.Errorf("%d ranges at a time, want 10", d.States["Send All Ranges"].MaxConcurrency)
	}
}

// TestOutcomes: each end of the retune writes what retune.Outcome reads, and nothing else.
func TestOutcomes(t *testing.T) {
	d, _ := load(t, "retune")
	var known []string
	for i := range reflect.TypeFor[retune.Outcome]().NumField() {
		known = append(known, reflect.TypeFor[retune.Outcome]().Field(i).Tag.Get("json"))
	}
	written := map[string]bool{}
	var ends []string
	for name, s := range d.States {
		if !s.End {
			continue
		}
		ends = append(ends, name)
		var output map[string]any
		if err := json.Unmarshal(s.Output, &output); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		for field := range output {
			written[field] = true
			if !slices.Contains(known, field) {
				t.Errorf("%q writes %s, which nobody reads", name, field)
			}
		}
		for _, field := range []string{"outcome", "summary", "reason"} {
			if output[field] == nil {
				t.Errorf("%q does not write %s", name, field)
			}
		}
	}
	for _, field := range known {
		if !written[field] {
			t.Errorf("nobody writes %s", field)
		}
	}
	sort.Strings(ends)
	if !slices.Equal(ends, []string{"Give Way", "Report Outcome"}) {
		t.Errorf("ends %q", ends)
	}
}

// TestRetuneMakesEachRunKnown: whatever was decided, the way leads over Publish; only one that gives way to another
// publishes nothing.
func TestRetuneMakesEachRunKnown(t *testing.T) {
	d, _ := load(t, "retune")
	seen := map[string]bool{}
	var without func(name string)
	without = func(name string) {
		if seen[name] || name == "Publish" || name == "Give Way" || name == "Describe Failure" {
			return
		}
		seen[name] = true
		if name == "Report Outcome" {
			t.Error("a way leads past Publish")
		}
		for _, next := range d.States[name].successors() {
			without(next)
		}
	}
	without(d.StartAt)
}

// TestRetuneChangesOnlyWhatWasDecided: the ways to the two Tasks that write lead over the Choices that ask.
func TestRetuneChangesOnlyWhatWasDecided(t *testing.T) {
	d, _ := load(t, "retune")
	for task, asks := range map[string]string{"Apply Targets": "Dry Run?", "Restore Targets": "Worse?"} {
		for name, s := range d.States {
			if slices.Contains(s.successors(), task) && name != asks {
				t.Errorf("%q leads to %q", name, task)
			}
		}
	}
	if from := d.States["Dry Run?"]; from.Default != "Apply Targets" ||
		from.Choices[0].Next != "Show What Would Change" {
		t.Errorf("Dry Run? leads to %q", from.successors())
	}
}

// TestWatchingHoldsNobodyUp: the states in which an execution is not at work any more are states of the machine, and
// from them the way leads to no writing Task but the one that looks again whether the targets are its own.
func TestWatchingHoldsNobodyUp(t *testing.T) {
	d, _ := load(t, "retune")
	for _, name := range retune.Watching {
		s, exists := d.States[name]
		if !exists {
			t.Errorf("%q is no state", name)
		}
		for _, next := range s.successors() {
			if slices.Contains([]string{"Apply Targets", "Publish", "Publish Restore"}, next) {
				t.Errorf("%q, which holds nobody up, leads to %q", name, next)
			}
		}
	}
}
