package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/consumer"
)

// grant is one action on one resource.
type grant struct {
	action, resource string
}

// statementsOf lists the statements of a role's policies. An optional statement
// counts: the role may have it.
func statementsOf(t *testing.T, d document, role string) []map[string]any {
	t.Helper()
	var statements []map[string]any
	for _, p := range list(d.property(t, role, "Policies")) {
		for _, s := range list(at(p, "PolicyDocument.Statement")) {
			if branch, ok := at(s, "Fn::If").([]any); ok {
				want(t, role+": otherwise", branch[2], ref("AWS::NoValue"))
				s = branch[1]
			}
			statements = append(statements, s.(map[string]any))
		}
	}
	return statements
}

// grants is all that a role may do.
func grants(t *testing.T, d document, role string) []grant {
	t.Helper()
	var all []grant
	for _, s := range statementsOf(t, d, role) {
		for _, action := range list(s["Action"]) {
			for _, resource := range list(s["Resource"]) {
				all = append(all, grant{action.(string), brief(t, resource)})
			}
		}
	}
	slices.SortFunc(all, func(a, b grant) int { return strings.Compare(a.action+a.resource, b.action+b.resource) })
	return all
}

// brief is a resource in few words: the id, or the end of the ARN.
func brief(t *testing.T, v any) string {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		return v.(string)
	}
	if pair, ok := m["Fn::GetAtt"].([]any); ok {
		return pair[0].(string)
	}
	if name, ok := m["Ref"].(string); ok {
		return name
	}
	if branch, ok := m["Fn::If"].([]any); ok {
		return brief(t, branch[1]) + "|" + brief(t, branch[2])
	}
	if text, _ := subText(m); text != "" {
		return strings.TrimPrefix(text, "arn:${AWS::Partition}:")
	}
	return show(t, v)
}

const (
	here     = ":${AWS::Region}:${AWS::AccountId}:"
	tuning   = "ssm" + here + "parameter/${AWS::StackName}/tuning"
	anything = "*"

	bandState       = "ssm" + here + "parameter/${AWS::StackName}/band"
	scalableTargets = "application-autoscaling" + here + "scalable-target/*"

	imageRecord = "ssm" + here + "parameter/${AWS::StackName}/worker-image"
	thisStack   = "cloudformation" + here + "stack/${AWS::StackName}/*"
	ownImages   = "WorkerRepository|ecr" + here + "repository/*"
	verifier    = "states" + here + "stateMachine:${AWS::StackName}-verify"
	queueByARN  = "Queue|QueueArn"
	deadByARN   = "DeadLetterQueue|DeadLetterQueueArn"
	revisions   = "ecs" + here + "service-revision/${Cluster}/${Service.Name}/*"
)

// What each role may do, exactly. Roles of state machines, rules and schedules
// are not here: their tests derive it from what they do.
var granted = map[string][]grant{
	"TaskRole": {
		{"cloudwatch:PutMetricData", anything},
		{"ecs:UpdateTaskProtection", "ecs" + here + "task/${Cluster}/*"},
		{"sqs:ChangeMessageVisibility", "Queue|QueueArn"},
		{"sqs:DeleteMessage", "Queue|QueueArn"},
		{"sqs:ReceiveMessage", "Queue|QueueArn"},
		{"sqs:SendMessage", "DeadLetterQueue|DeadLetterQueueArn"},
		{"ssmmessages:CreateControlChannel", anything},
		{"ssmmessages:CreateDataChannel", anything},
		{"ssmmessages:OpenControlChannel", anything},
		{"ssmmessages:OpenDataChannel", anything},
		{"states:SendTaskFailure", verifier},
		{"states:SendTaskSuccess", verifier},
	},
	"ExecutionRole": {
		{"ecr:BatchCheckLayerAvailability", ownImages},
		{"ecr:BatchGetImage", ownImages},
		{"ecr:GetAuthorizationToken", anything},
		{"ecr:GetDownloadUrlForLayer", ownImages},
		{"logs:CreateLogStream", "WorkerLogGroup"},
		{"logs:PutLogEvents", "WorkerLogGroup"},
	},
	"InitialTargetsRole": withLogs("InitialTargetsLogGroup",
		grant{"ssm:DeleteParameter", tuning}, grant{"ssm:GetParameter", tuning}),
	"ProducePlanRole":   withLogs("ProduceLogGroup"),
	"ProduceSendRole":   withLogs("ProduceLogGroup", grant{"sqs:SendMessage", "Queue|QueueArn"}),
	"ProduceReportRole": withLogs("ProduceLogGroup"),
	"RetuneTurnRole": withLogs("RetuneLogGroup",
		grant{"cloudwatch:GetMetricData", anything},
		grant{"states:DescribeExecution", "states" + here + "execution:${AWS::StackName}-retune:*"},
		grant{"states:GetExecutionHistory", "states" + here + "execution:${AWS::StackName}-retune:*"},
		grant{"states:ListExecutions", retuneByName}),
	"RetuneMeasureRole": withLogs("RetuneLogGroup",
		grant{"application-autoscaling:DescribeScalableTargets", anything},
		grant{"application-autoscaling:DescribeScalingPolicies", anything},
		grant{"cloudwatch:DescribeAlarms", "cloudwatch" + here + "alarm:*"},
		grant{"cloudwatch:GetMetricData", anything},
		grant{"ecs:DescribeServices", "Service"}, grant{"ecs:ListServiceDeployments", "Service"},
		grant{"ssm:GetParameter", tuning}),
	"RetuneDecideRole": withLogs("RetuneLogGroup"),
	"RetuneApplyRole": withLogs("RetuneLogGroup",
		grant{"application-autoscaling:DescribeScalableTargets", anything},
		grant{"application-autoscaling:DescribeScalingPolicies", anything},
		grant{"application-autoscaling:PutScalingPolicy", "application-autoscaling" + here + "scalable-target/*"},
		grant{"application-autoscaling:RegisterScalableTarget", "application-autoscaling" + here + "scalable-target/*"},
		grant{"cloudwatch:DeleteAlarms", trackingAlarms},
		grant{"cloudwatch:DescribeAlarms", "cloudwatch" + here + "alarm:*"},
		grant{"cloudwatch:PutMetricAlarm", driftAlarmByName},
		grant{"cloudwatch:PutMetricAlarm", trackingAlarms},
		grant{"ecs:DescribeServices", "Service"}, grant{"ecs:UpdateService", "Service"}),
	"RetunePublishRole": withLogs("RetuneLogGroup",
		grant{"cloudwatch:PutMetricData", anything},
		grant{"logs:CreateLogStream", "RetuneRunLogGroup"}, grant{"logs:PutLogEvents", "RetuneRunLogGroup"},
		grant{"ssm:PutParameter", tuning}),
	"RetuneCompareRole": withLogs("RetuneLogGroup",
		grant{"application-autoscaling:DescribeScalingPolicies", anything},
		grant{"cloudwatch:GetMetricData", anything},
		grant{"ecs:DescribeServices", "Service"}, grant{"ecs:ListServiceDeployments", "Service"},
		grant{"ssm:GetParameter", tuning}),
	"RetuneAgainRole": withLogs("RetuneLogGroup",
		grant{"iam:PassRole", "RetuneAgainTimerRole"},
		grant{"scheduler:CreateSchedule", againSchedule}, grant{"scheduler:GetSchedule", againSchedule},
		grant{"scheduler:UpdateSchedule", againSchedule}),
	"RetuneAgainTimerRole": {{"states:StartExecution", retuneByName}},
	"BandLookRole": withLogs("BandLogGroup",
		grant{"application-autoscaling:DescribeScalableTargets", anything},
		grant{"cloudwatch:GetMetricStatistics", anything}, grant{"ecs:DescribeServices", "Service"},
		grant{"sqs:GetQueueAttributes", queueByARN},
		grant{"ssm:GetParameter", bandState}, grant{"ssm:PutParameter", bandState}),
	"BandDecideRole": withLogs("BandLogGroup"),
	"BandArmRole": withLogs("BandLogGroup",
		grant{"application-autoscaling:PutScheduledAction", scalableTargets}, grant{"ssm:GetParameter", bandState}),
	"BandMoveRole": withLogs("BandLogGroup",
		grant{"application-autoscaling:RegisterScalableTarget", scalableTargets},
		grant{"ecs:DescribeServices", "Service"}, grant{"ecs:UpdateService", "Service"},
		grant{"ssm:GetParameter", bandState}),
	"BandRememberRole": withLogs("BandLogGroup",
		grant{"ssm:GetParameter", bandState}, grant{"ssm:PutParameter", bandState}),
	"BandSwitchRole": withLogs("BandLogGroup",
		grant{"application-autoscaling:DeleteScheduledAction", scalableTargets},
		grant{"application-autoscaling:DescribeScalableTargets", anything},
		grant{"application-autoscaling:RegisterScalableTarget", scalableTargets},
		grant{"ecs:DescribeServices", "Service"}, grant{"ecs:UpdateService", "Service"},
		grant{"ssm:GetParameter", bandState}, grant{"ssm:PutParameter", bandState}),
	"WorkerImageRole": withLogs("WorkerImageLogGroup",
		grant{"cloudformation:DescribeStackResource", thisStack}, grant{"cloudformation:DescribeStacks", thisStack},
		grant{"ecr:BatchCheckLayerAvailability", "WorkerRepository"}, grant{"ecr:BatchGetImage", "WorkerRepository"},
		grant{"ecr:CompleteLayerUpload", "WorkerRepository"}, grant{"ecr:GetAuthorizationToken", anything},
		grant{"ecr:InitiateLayerUpload", "WorkerRepository"}, grant{"ecr:PutImage", "WorkerRepository"},
		grant{"ecr:UploadLayerPart", "WorkerRepository"},
		grant{"ecs:DescribeServices", "ecs" + here + "service/${Cluster}/*"},
		grant{"ecs:DescribeTaskDefinition", anything},
		grant{"ssm:DeleteParameter", imageRecord}, grant{"ssm:GetParameter", imageRecord},
		grant{"ssm:PutParameter", imageRecord}),
	"RestoreImageRole": withLogs("WorkerImageLogGroup",
		grant{"cloudformation:DescribeStackResource", thisStack},
		grant{"ecs:DescribeServices", "Service"}, grant{"ecs:DescribeTaskDefinition", anything},
		grant{"ecs:UpdateService", "Service"},
		grant{"iam:PassRole", "ExecutionRole"}, grant{"iam:PassRole", "TaskRole"},
		grant{"ssm:GetParameter", imageRecord}, grant{"ssm:PutParameter", imageRecord}),
	"VerifyPrepareRole": withLogs("VerifyLogGroup",
		grant{"cloudwatch:GetMetricData", anything}, grant{"ecs:DescribeServiceRevisions", revisions},
		grant{"ecs:DescribeServices", "Service"}, grant{"ecs:DescribeTaskDefinition", anything},
		grant{"ecs:ListServiceDeployments", "Service"}, grant{"sqs:GetQueueAttributes", deadByARN}),
	"VerifyRolloutRole": withLogs("VerifyLogGroup",
		grant{"ecs:DescribeServiceRevisions", revisions}, grant{"ecs:DescribeServices", "Service"},
		grant{"ecs:ListServiceDeployments", "Service"}, grant{"ecs:UpdateService", "Service"}),
	"VerifyOutcomeRole": withLogs("VerifyLogGroup",
		grant{"cloudwatch:GetMetricData", anything}, grant{"ecs:DescribeServices", "Service"},
		grant{"ecs:DescribeTasks", "ecs" + here + "task/${Cluster}/*"},
		grant{"ecs:ListTasks", anything}, grant{"sqs:GetQueueAttributes", queueByARN},
		grant{"sqs:GetQueueAttributes", deadByARN}),
	"VerifyRollbackRole": withLogs("VerifyLogGroup",
		grant{"ecs:DescribeServices", "Service"}, grant{"ecs:UpdateService", "Service"},
		grant{"iam:PassRole", "ExecutionRole"}, grant{"iam:PassRole", "TaskRole"}),
	"VerifyReportRole": withLogs("VerifyLogGroup"),
	"BuildRole": withLogs("BuildLogGroup", append([]grant{
		{"ecr:BatchCheckLayerAvailability", "WorkerRepository"}, {"ecr:BatchGetImage", "WorkerRepository"},
		{"ecr:CompleteLayerUpload", "WorkerRepository"}, {"ecr:GetAuthorizationToken", anything},
		{"ecr:InitiateLayerUpload", "WorkerRepository"}, {"ecr:PutImage", "WorkerRepository"},
		{"ecr:UploadLayerPart", "WorkerRepository"},
	}, artifactNeeds...)...),
}

const (
	driftAlarmByName = "cloudwatch" + here + "alarm:${AWS::StackName}-drift"
	againSchedule    = "scheduler" + here + "schedule/default/${AWS::StackName}-retune-again"
	retuneByName     = "states" + here + "stateMachine:${AWS::StackName}-retune"
)

const trackingAlarms = "cloudwatch" + here + "alarm:TargetTracking-service/${Cluster}/${Service.Name}-*"

func withLogs(group string, more ...grant) []grant {
	all := slices.Concat(more, []grant{{"logs:CreateLogStream", group}, {"logs:PutLogEvents", group}})
	slices.SortFunc(all, func(a, b grant) int { return strings.Compare(a.action+a.resource, b.action+b.resource) })
	return all
}

func TestRolesHaveExactlyWhatTheyNeed(t *testing.T) {
	d := committed(t)
	for role, wanted := range granted {
		if got := grants(t, d, role); !slices.Equal(got, wanted) {
			t.Errorf("%s may\n%v\nwant\n%v", role, got, wanted)
		}
	}
	derived := map[string]bool{}
	for _, id := range slices.Concat(d.ofType("AWS::Serverless::StateMachine"), d.ofType("AWS::Events::Rule"),
		d.ofType("AWS::Scheduler::Schedule"), d.ofType("AWS::CodePipeline::Pipeline")) {
		for role := range rolesOf(t, d, id) {
			derived[role] = true
		}
	}
	for _, role := range d.ofType("AWS::IAM::Role") {
		if granted[role] == nil && !derived[role] {
			t.Errorf("nobody says what %s should be able to do", role)
		}
	}
}

// rolesOf lists the roles that a resource refers to.
func rolesOf(t *testing.T, d document, id string) map[string]bool {
	t.Helper()
	roles := map[string]bool{}
	for _, name := range references(d.resource(t, id)["Properties"]) {
		if r, ok := d.section("Resources")[name]; ok && at(r, "Type") == "AWS::IAM::Role" {
			roles[name] = true
		}
	}
	return roles
}

// The actions that AWS knows no resource for (service authorization reference).
var withoutResource = []string{
	"application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies",
	"cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics", "cloudwatch:PutMetricData",
	"ecr:GetAuthorizationToken", "ecs:DescribeTaskDefinition",
	"ecs:RegisterTaskDefinition", // has a family in newer documents, and nothing in older ones
	"ecs:ListTasks",              // has container instances, of which Fargate has none
	"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
	"logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
	"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
	"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
}

func TestOnlyActionsWithoutResourcesAreGrantedOnAll(t *testing.T) {
	d := committed(t)
	for _, role := range d.ofType("AWS::IAM::Role") {
		for _, g := range grants(t, d, role) {
			if (g.resource == anything) != slices.Contains(withoutResource, g.action) {
				t.Errorf("%s may %s on %s", role, g.action, g.resource)
			}
		}
	}
}

// A wildcard in a line of the template is explained in the comment above its statement.
func TestWildcardsAreExplained(t *testing.T) {
	raw, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	for i, line := range lines {
		if !regexp.MustCompile(`Resource: '\*'|^ +(Resource: !Sub |- )arn:.*\*$`).MatchString(line) {
			continue
		}
		start := i
		for start > 0 && !strings.Contains(lines[start], "- Effect:") {
			start--
		}
		if !strings.Contains(lines[start-1], "# ") {
			t.Errorf("line %d: %s is not explained", i+1, strings.TrimSpace(line))
		}
	}
}

// The services whose clients a function makes are those that its role knows.
func TestFunctionRolesFitTheClients(t *testing.T) {
	d := committed(t)
	client := regexp.MustCompile(`aws-sdk-go-v2/service/(\w+)"`)
	prefixes := map[string]string{
		"applicationautoscaling": "application-autoscaling", "cloudwatchlogs": "logs", "sfn": "states",
	}
	for id, source := range functionSources(t, d) {
		services := map[string]bool{"logs": true}
		for _, match := range client.FindAllStringSubmatch(source, -1) {
			name := match[1]
			if prefix := prefixes[name]; prefix != "" {
				name = prefix
			}
			services[name] = true
		}
		if services["application-autoscaling"] && id == "RetuneApplyFunction" {
			services["cloudwatch"], services["ecs"] = true, true // in the caller's name
		}
		if id == "BandMoveFunction" || id == "BandSwitchFunction" {
			services["ecs"] = true // likewise
		}
		for role := range rolesOf(t, d, id) {
			if role == "RetuneAgainTimerRole" {
				continue // is handed to a schedule
			}
			allowed := map[string]bool{}
			for _, g := range grants(t, d, role) {
				if g.action == "iam:PassRole" {
					continue // comes with ecs:UpdateService and scheduler:CreateSchedule
				}
				prefix, _, _ := strings.Cut(g.action, ":")
				allowed[prefix] = true
			}
			want(t, id+": services", allowed, services)
		}
	}
}

// functionSources are the main packages of the functions.
func functionSources(t *testing.T, d document) map[string]string {
	t.Helper()
	sources := map[string]string{}
	for _, id := range d.ofType("AWS::Serverless::Function") {
		folder, _ := d.property(t, id, "CodeUri").(string)
		files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no Go file in %q", id, folder)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			sources[id] += string(raw)
		}
	}
	return sources
}

// A function gets the variables that it reads, and no other.
func TestFunctionsGetTheEnvironmentThatTheyRead(t *testing.T) {
	d := committed(t)
	read := regexp.MustCompile(`\bEnv\.\w+\(\s*"([A-Z0-9_]+)"`)
	common := at(map[string]any(d), "Globals.Function.Environment.Variables").(map[string]any)
	for id, source := range functionSources(t, d) {
		wanted := map[string]bool{}
		for _, match := range read.FindAllStringSubmatch(source, -1) {
			if common[match[1]] == nil {
				wanted[match[1]] = true
			}
		}
		got := map[string]bool{}
		variables, _ := d.property(t, id, "Environment.Variables").(map[string]any)
		for name := range variables {
			got[name] = true
		}
		want(t, id+": variables", got, wanted)
	}
}

// So does the worker, but for what ECS sets and what is made of the rest, and but for its version: the pipeline
// changes the image and keeps the environment, so a version there would soon be wrong.
func TestWorkerGetsTheEnvironmentThatItReads(t *testing.T) {
	wanted := map[string]bool{}
	for _, v := range consumer.Variables() {
		if !strings.HasPrefix(v.Name, "ECS_") && !strings.HasPrefix(v.Name, "AWS_") && v.Name != "HEALTH_SOCKET" &&
			v.Name != "WORKER_VERSION" {
			wanted[v.Name] = true
		}
	}
	got := map[string]bool{}
	for name := range taskVariables(t, committed(t)) {
		got[name] = true
	}
	want(t, "variables", got, wanted)
}
