package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/backlog"
	"sqs-dynamic-target-tracking/internal/retune"
	"sqs-dynamic-target-tracking/internal/verify"
)

func TestDefaultsAreAllowed(t *testing.T) {
	for name, p := range committed(t).section("Parameters") {
		value := at(p, "Default")
		if value == nil {
			t.Errorf("%s has no default: a plain sam deploy would ask for it", name)
			continue
		}
		if text, _ := at(p, "Description").(string); len(text) < 10 || len(text) > 4000 {
			t.Errorf("%s has no description", name)
		}
		switch {
		case at(p, "AllowedValues") != nil:
			if !slices.Contains(at(p, "AllowedValues").([]any), value) {
				t.Errorf("%s: default %v is not allowed", name, value)
			}
		case at(p, "Type") == "Number":
			if v := float(value); v < float(at(p, "MinValue")) || v > float(at(p, "MaxValue")) {
				t.Errorf("%s: default %v is out of its range", name, value)
			}
		default:
			pattern, _ := at(p, "AllowedPattern").(string)
			if pattern == "" || !regexp.MustCompile(pattern).MatchString(value.(string)) {
				t.Errorf("%s: default %q does not match %q", name, value, pattern)
			}
		}
	}
}

func TestEveryParameterIsInTheForm(t *testing.T) {
	d := committed(t)
	form := d.section("Metadata")["AWS::CloudFormation::Interface"]
	var shown []string
	for _, group := range at(form, "ParameterGroups").([]any) {
		for _, name := range at(group, "Parameters").([]any) {
			shown = append(shown, name.(string))
			if label, _ := at(form, "ParameterLabels."+name.(string)+".default").(string); label == "" {
				t.Errorf("%s has no label", name)
			}
		}
	}
	var all []string
	for name := range d.section("Parameters") {
		all = append(all, name)
	}
	slices.Sort(all)
	slices.Sort(shown)
	want(t, "parameters in the form", shown, all)
}

// A value that a function or the worker would refuse is refused by the template.
func TestRangesFitTheCode(t *testing.T) {
	for _, tt := range []struct {
		name        string
		least, most float64 // what the code takes
	}{
		{"AcceptableDelaySeconds", 1e-9, backlog.LongestDelay.Seconds()},
		{"InitialProcessingSeconds", backlog.ShortestProcessing.Seconds(), (12 * time.Hour).Seconds()},
		{"MetricPeriodSeconds", 1e-9, backlog.LongestPeriod.Seconds()},
		{"Headroom", 0, backlog.MostHeadroom},
		{"Utilization", 0.01, 0.99},
		{"WorkerConcurrency", 1, backlog.MostConcurrency},
		{"VisibilityTimeoutSeconds", 2, 43200}, // consumer.Variables; SQS takes no longer one
		{"RetuneMinimumSamples", 1, backlog.MostSamples},
		{"RetuneMaximumFactor", backlog.LeastFactor, backlog.MostFactor},
		{"VerifyRolloutSeconds", 0.001, verify.LongestRollout.Seconds()},
		{"VerifySoakSeconds", 0.001, verify.LongestSoak.Seconds()},
		{"VerifyRollbackSeconds", 1e-9, verify.LongestRollback.Seconds()},
		{"VerifyStartSeconds", 1e-9, verify.LongestStart.Seconds()},
		{"VerifyBaselineSeconds", 1e-9, verify.LongestBaseline.Seconds()},
		{"VerifyMaximumSlowdown", 1, 100}, // functions/verify/outcome
		{"RetuneWindowMinutes", retune.LeastWindow.Minutes(), retune.LongestWindow.Minutes()},
	} {
		p := committed(t).section("Parameters")[tt.name]
		if float(at(p, "MinValue")) < tt.least || float(at(p, "MaxValue")) > tt.most {
			t.Errorf("%s: %v to %v is allowed, the code takes %g to %g",
				tt.name, at(p, "MinValue"), at(p, "MaxValue"), tt.least, tt.most)
		}
	}
}

func TestPatterns(t *testing.T) {
	for name, tt := range map[string]struct{ good, bad []string }{
		"QueueArn": {
			good: []string{"", "arn:aws:sqs:eu-west-1:123456789012:a", "arn:aws-cn:sqs:cn-north-1:123456789012:a.fifo"},
			bad:  []string{"jobs", "arn:aws:sqs:eu-west-1:123456789012:a.fif", "arn:aws:sns:eu-west-1:123456789012:a"},
		},
		"SubnetIds": {
			good: []string{"", "subnet-0a1b", "subnet-0a1b,subnet-2c3d"},
			bad:  []string{"subnet-0a1b,", "subnet-0a1b, subnet-2c3d", "vpc-1"},
		},
		"VpcId":       {good: []string{"", "vpc-0a1b"}, bad: []string{"vpc", "subnet-1"}},
		"ClusterName": {good: []string{"", "my_cluster-1"}, bad: []string{"a/b", "arn:aws:ecs:::cluster/x"}},
		"RetuneSchedule": {
			good: []string{"rate(5 minutes)", "cron(0 * * * ? *)"},
			bad:  []string{"", "hourly", "at(2030)"},
		},
		"ConnectionArn": {
			good: []string{"", "arn:aws:codeconnections:eu-west-1:123456789012:connection/6f2e0000-aaaa-0123456789ab",
				"arn:aws:codestar-connections:eu-west-1:123456789012:connection/6f2e"},
			bad: []string{"6f2e", "arn:aws:iam::123456789012:role/x"},
		},
		"RepositoryOwner":   {good: []string{"", "aws-ia", "group/sub"}, bad: []string{"https://x.example", "a b"}},
		"RepositoryName":    {good: []string{"", "ecs-blueprints", "a.b"}, bad: []string{"a/b", "a b"}},
		"GitHubTokenSecret": {good: []string{"ecs-github-token", "team/token"}, bad: []string{"", "a:b", "{x}"}},
		"NotificationEmail": {good: []string{"", "a@b.example"}, bad: []string{"a@b", "a b@c.d"}},
		"WorkerImage":       {good: []string{"", "a/b:c", "x@sha256:0"}, bad: []string{"a b", " "}},
	} {
		pattern := regexp.MustCompile(at(committed(t).section("Parameters")[name], "AllowedPattern").(string))
		for _, value := range tt.good {
			if !pattern.MatchString(value) {
				t.Errorf("%s refuses %q", name, value)
			}
		}
		for _, value := range tt.bad {
			if pattern.MatchString(value) {
				t.Errorf("%s takes %q", name, value)
			}
		}
	}
}

// The Rules section, evaluated as CloudFormation does.
func TestRules(t *testing.T) {
	d := committed(t)
	for _, tt := range []struct {
		name    string
		given   map[string]string
		refused string // part of the description, "" for accepted
	}{
		{"defaults", nil, ""},
		{"own network", map[string]string{"VpcId": "vpc-1", "SubnetIds": "subnet-1"}, ""},
		{"public subnets", map[string]string{"VpcId": "vpc-1", "SubnetIds": "subnet-1", "AssignPublicIp": "ENABLED"},
			""},
		{"VPC alone", map[string]string{"VpcId": "vpc-1"}, "VpcId needs SubnetIds"},
		{"subnets alone", map[string]string{"SubnetIds": "subnet-1"}, "SubnetIds need VpcId"},
		{"public address in private subnets", map[string]string{"AssignPublicIp": "ENABLED"}, "AssignPublicIp"},
		{"one queue for both", map[string]string{"QueueArn": "a", "DeadLetterQueueArn": "a"}, "the same queue"},
		{"two queues", map[string]string{"QueueArn": "a", "DeadLetterQueueArn": "b"}, ""},
		{"size", map[string]string{"TaskCpu": "1024", "TaskMemory": "3072"}, ""},
		{"too little memory", map[string]string{"TaskCpu": "1024", "TaskMemory": "512"}, "TaskCpu 1024"},
		{"odd memory", map[string]string{"TaskCpu": "256", "TaskMemory": "1000"}, "TaskCpu 256"},
		{"pipeline", map[string]string{"RepositoryOwner": "o", "RepositoryName": "n"}, ""},
		{"owner alone", map[string]string{"RepositoryOwner": "o"}, "RepositoryOwner needs RepositoryName"},
		{"repository alone", map[string]string{"RepositoryName": "n"}, ""},
		{"pipeline and a given image",
			map[string]string{"RepositoryOwner": "o", "RepositoryName": "n", "WorkerImage": "i"},
			"leave WorkerImage blank"},
		{"much memory", map[string]string{"TaskCpu": "4096", "TaskMemory": "30720"}, ""},
	} {
		values := map[string]string{}
		for name, p := range d.section("Parameters") {
			values[name] = fmt.Sprint(at(p, "Default"))
		}
		for name, value := range tt.given {
			values[name] = value
		}
		var refusals []string
		for _, r := range d.section("Rules") {
			if condition := at(r, "RuleCondition"); condition != nil && !evaluate(t, condition, values).(bool) {
				continue
			}
			for _, a := range at(r, "Assertions").([]any) {
				if !evaluate(t, at(a, "Assert"), values).(bool) {
					refusals = append(refusals, at(a, "AssertDescription").(string))
				}
			}
		}
		got := strings.Join(refusals, "; ")
		if tt.refused == "" && got != "" || !strings.Contains(got, tt.refused) {
			t.Errorf("%s: refused with %q, want %q", tt.name, got, tt.refused)
		}
	}
}

// evaluate knows the functions that the Rules section uses. Anything else
// (Fn::If, Fn::Split) CloudFormation refuses there.
func evaluate(t *testing.T, v any, values map[string]string) any {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, argument := range m {
		switch name {
		case "Ref":
			return values[argument.(string)]
		case "Fn::Not":
			return !evaluate(t, argument.([]any)[0], values).(bool)
		case "Fn::Equals":
			return evaluate(t, argument.([]any)[0], values) == evaluate(t, argument.([]any)[1], values)
		case "Fn::Contains":
			return slices.Contains(argument.([]any)[0].([]any), evaluate(t, argument.([]any)[1], values))
		default:
			t.Fatalf("%s is not for rules", name)
		}
	}
	return nil
}

func float(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case float64:
		return v
	}
	panic(fmt.Sprintf("%v is not a number", v))
}
