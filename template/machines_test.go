package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// definition is a state machine's file.
func definition(t *testing.T, d document, machine string) (text string, parsed map[string]any) {
	t.Helper()
	uri, _ := d.property(t, machine, "DefinitionUri").(string)
	raw, err := os.ReadFile(filepath.Join("..", uri))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &parsed); err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	return string(raw), parsed
}

func TestPlaceholdersAreSubstituted(t *testing.T) {
	d := committed(t)
	for _, machine := range d.ofType("AWS::Serverless::StateMachine") {
		text, _ := definition(t, d, machine)
		used := map[string]bool{}
		for _, match := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(text, -1) {
			used[match[1]] = true
		}
		given := map[string]bool{}
		for name := range d.property(t, machine, "DefinitionSubstitutions").(map[string]any) {
			given[name] = true
		}
		want(t, machine+": substitutions", given, used)
	}
}

// tasks lists the Task states of a definition, those inside Map and Parallel included.
func tasks(definition map[string]any) map[string]map[string]any {
	found := map[string]map[string]any{}
	walk(definition, func(v any) {
		states, _ := at(v, "States").(map[string]any)
		for name, state := range states {
			if s, ok := state.(map[string]any); ok && s["Type"] == "Task" {
				found[name] = s
			}
		}
	})
	return found
}

// taskNeeds is what a Task does with the machine's role. The resource is in the
// definition's words: a placeholder, most often.
func taskNeeds(t *testing.T, name string, task map[string]any) grant {
	t.Helper()
	resource, _ := task["Resource"].(string)
	argument := func(name string) string {
		for _, block := range []string{"Arguments", "Parameters"} {
			if v, ok := at(task, block+"."+name).(string); ok {
				return v
			}
		}
		t.Fatalf("task %s: %s has no literal %s, so no role can be narrowed to it", task, resource, name)
		return ""
	}
	integration, _, _ := strings.Cut(strings.TrimPrefix(resource, "arn:aws:states:::"), ".")
	switch {
	case strings.HasPrefix(resource, "${") && strings.HasSuffix(resource, "FunctionArn}"):
		return grant{"lambda:InvokeFunction", resource}
	case integration == "lambda:invoke":
		return grant{"lambda:InvokeFunction", argument("FunctionName")}
	case integration == "sns:publish":
		return grant{"sns:Publish", argument("TopicArn")}
	case integration == "sqs:sendMessage":
		return grant{"sqs:SendMessage", argument("QueueUrl")}
	case integration == "states:startExecution":
		return grant{"states:StartExecution", argument("StateMachineArn")}
	}
	t.Fatalf("state %q: nothing here says what role %q needs; say it in taskNeeds", name, resource)
	return grant{}
}

// Logging is set up by Step Functions in the name of the role.
var deliverLogs = []string{
	"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
	"logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
}

// The local engine does not check the role of a state machine, so this does: it
// derives what the role needs from the definition.
func TestMachineRolesFitTheirDefinitions(t *testing.T) {
	d := committed(t)
	for _, machine := range d.ofType("AWS::Serverless::StateMachine") {
		_, parsed := definition(t, d, machine)
		needed := map[grant]bool{}
		for name, task := range tasks(parsed) {
			need := taskNeeds(t, name, task)
			placeholder := strings.Trim(need.resource, "${}")
			substitution := d.property(t, machine, "DefinitionSubstitutions."+placeholder)
			if substitution == nil {
				t.Fatalf("%s: %s is not substituted", machine, need.resource)
			}
			resource := brief(t, substitution)
			if need.action == "sqs:SendMessage" { // the definition has its URL, the role its ARN
				resource = queueByARN
			}
			needed[grant{need.action, resource}] = true
		}
		if d.property(t, machine, "Logging") != nil {
			for _, action := range deliverLogs {
				needed[grant{action, anything}] = true
			}
		}
		role := onlyRole(t, d, machine)
		assumedBy(t, d, role, statesService)
		allowed := map[grant]bool{}
		for _, g := range grants(t, d, role) {
			allowed[g] = true
		}
		compare(t, role, allowed, needed)
	}
}

func compare(t *testing.T, role string, allowed, needed map[grant]bool) {
	t.Helper()
	for g := range needed {
		if !allowed[g] {
			t.Errorf("%s lacks %s on %s", role, g.action, g.resource)
		}
	}
	for g := range allowed {
		if !needed[g] {
			t.Errorf("%s has %s on %s and does not need it", role, g.action, g.resource)
		}
	}
}

func onlyRole(t *testing.T, d document, id string) string {
	t.Helper()
	roles := rolesOf(t, d, id)
	if len(roles) != 1 {
		t.Fatalf("%s has the roles %v, want one", id, roles)
	}
	for role := range roles {
		return role
	}
	return ""
}

func assumedBy(t *testing.T, d document, role, service string) {
	t.Helper()
	want(t, role+" is assumed by", d.property(t, role, "AssumeRolePolicyDocument.Statement.0.Principal"),
		map[string]any{"Service": service})
}

// A function is given up before the state that calls it is, so that what is
// recorded is the function's own error.
func TestStatesWaitLongerThanTheirFunctions(t *testing.T) {
	d := committed(t)
	for _, machine := range d.ofType("AWS::Serverless::StateMachine") {
		_, parsed := definition(t, d, machine)
		for name, task := range tasks(parsed) {
			need := taskNeeds(t, name, task)
			if need.action != "lambda:InvokeFunction" {
				continue
			}
			id := brief(t, d.property(t, machine, "DefinitionSubstitutions."+strings.Trim(need.resource, "${}")))
			waits, takes := float(task["TimeoutSeconds"]), float(d.property(t, id, "Timeout"))
			if waits <= takes {
				t.Errorf("%s, state %q waits %g s for %s, which may take %g s", machine, name, waits, id, takes)
			}
		}
	}
}

// Rules and schedules pass a constant input: without one the machine would be
// given the event. Each has a role that can start its machine, and nothing else.
func TestTargetsOfRulesAndSchedules(t *testing.T) {
	d := committed(t)
	started := map[string][]string{}
	check := func(id, service string, target any) {
		machine := brief(t, at(target, "Arn"))
		started[machine] = append(started[machine], id)
		for _, limit := range []string{"MaximumEventAgeInSeconds", "MaximumRetryAttempts"} {
			if at(target, "RetryPolicy."+limit) == nil {
				t.Errorf("%s has no %s", id, limit)
			}
		}

		if machine == "NotificationTopic" {
			return // is told a text: TestDeploymentEventsAreToldAsTexts
		}
		input, isText := at(target, "Input").(string)
		if !isText {
			input, _ = subText(at(target, "Input").(map[string]any))
			input = variable.ReplaceAllString(input, "5")
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(input), &fields); err != nil {
			t.Errorf("%s: input %q: %v", id, input, err)
		}

		switch kind := at(d.section("Resources")[machine], "Type"); kind {
		case "AWS::Serverless::StateMachine":
			role := onlyRole(t, d, id)
			assumedBy(t, d, role, service)
			want(t, id+": role of the target", at(target, "RoleArn"), attribute(role, "Arn"))
			want(t, role+" may", grants(t, d, role), []grant{{"states:StartExecution", machine}})
		case "AWS::Serverless::Function":
			mayInvoke(t, d, id, machine)
		default:
			t.Fatalf("%s: no rule is known for a target like %s (%v); say what its role needs", id, machine, kind)
		}
	}
	for _, id := range d.ofType("AWS::Events::Rule") {
		for _, target := range list(d.property(t, id, "Targets")) {
			check(id, eventsService, target)
		}
	}
	for _, id := range d.ofType("AWS::Scheduler::Schedule") {
		check(id, schedulerService, d.property(t, id, "Target"))
	}
	for _, ids := range started {
		slices.Sort(ids)
	}
	want(t, "what starts what", started, map[string][]string{
		"BandStateMachine":    {"BandTimer"},
		"ProduceStateMachine": {"TestMessageProducerRule"},
		"RetuneStateMachine":  {"DriftRule", "RetuneTimer", "StackUpdateRule"},

		"VerifyStateMachine":   {"DeployFailedRule"},
		"RestoreImageFunction": {"RestoreImageRule"},
		"NotificationTopic": {
			"PipelineActionFailedRule", "PipelineSucceededRule", "RolloutFailedRule", "VerificationNotStartedRule",
		},
	})
}

// mayInvoke: a function is called in nobody's role, so it says itself which rule may call it.
func mayInvoke(t *testing.T, d document, rule, function string) {
	t.Helper()
	var permitted []string
	for _, id := range d.ofType("AWS::Lambda::Permission") {
		if brief(t, d.property(t, id, "FunctionName")) == function {
			want(t, id+": principal", d.property(t, id, "Principal"), eventsService)
			want(t, id+": action", d.property(t, id, "Action"), "lambda:InvokeFunction")
			permitted = append(permitted, brief(t, d.property(t, id, "SourceArn")))
		}
	}
	want(t, function+" may be invoked by", permitted, []string{rule})
}
