package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each test here is a defect of the system that this one re-implements. Those
// of the functions and the worker have their tests there.

// The hourly rule was disabled, and a redeploy reset the tuned target.
func TestDefect6RetuneIsScheduledAndRedeployKeepsTargets(t *testing.T) {
	d := committed(t)
	want(t, "state", d.property(t, "RetuneTimer", "State"), ref("RetuneState"))
	want(t, "default state", at(d.section("Parameters")["RetuneState"], "Default"), "ENABLED")
	want(t, "default schedule", at(d.section("Parameters")["RetuneSchedule"], "Default"), "rate(1 hour)")

	// No number of the template is a target: TestWhatEntersAPolicyEntersInitialTargets
	// says why a redeploy then keeps what was tuned.
	for _, id := range d.ofType("AWS::ApplicationAutoScaling::ScalingPolicy") {
		target := d.property(t, id, "TargetTrackingScalingPolicyConfiguration.TargetValue")
		if id != "FromZeroScalingPolicy" && !slices.Equal(references(target), []string{initialTargets}) {
			t.Errorf("%s has the target %v", id, target)
		}
	}

	// A change of the stack is followed by a retune, of this stack only.
	pattern := d.property(t, "StackUpdateRule", "EventPattern")
	want(t, "source", at(pattern, "source"), []any{"aws.cloudformation"})
	want(t, "detail-type", at(pattern, "detail-type"), []any{"CloudFormation Stack Status Change"})
	want(t, "stack", at(pattern, "detail.stack-id"), []any{ref("AWS::StackId")})
	want(t, "status", at(pattern, "detail.status-details.status"), []any{"UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})
}

// The count of tasks was reset by a redeploy just so.
func TestDefect6RedeployKeepsTheNumberOfTasks(t *testing.T) {
	want(t, "DesiredCount", committed(t).property(t, "Service", "DesiredCount"), nil)
}

// m1 / m2 divided by zero with no running task, and the service never left zero.
func TestDefect7NoRunningTask(t *testing.T) {
	d := committed(t)
	backlog := d.property(t, "BacklogScalingPolicy", policyMetrics).([]any)
	for _, tt := range []struct {
		name                             string
		visible, inFlight, running, want []float64
	}{
		{"no task is one", []float64{12, 12}, []float64{0, 0}, []float64{0, 0}, []float64{12, 12}},
		{"half a task is one", []float64{12}, []float64{0}, []float64{0.5}, []float64{12}},
		{"a late count is not none", []float64{30, 30}, []float64{0, 0}, []float64{10, nan}, []float64{3, 3}},
		{"a late queue is not empty", []float64{30, nan}, []float64{10, 10}, []float64{10, 10}, []float64{4, nan}},
		{"half a late queue is not all", []float64{30, 30}, []float64{10, nan}, []float64{10, 10}, []float64{4, nan}},
		{"never counted", []float64{30}, []float64{0}, []float64{nan}, []float64{nan}},
	} {
		got := calculate(t, backlog, map[string][]float64{
			"visible": tt.visible, "inFlight": tt.inFlight, "running": tt.running,
		})
		if !sameSeries(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}

	fromZero := d.property(t, "FromZeroAlarm", "Metrics").([]any)
	for _, tt := range []struct {
		name                   string
		visible, running, want []float64
	}{
		{"messages and no task", []float64{1, 1}, []float64{0, 0}, []float64{1, 1}},
		{"messages, and no count without tasks", []float64{1, 1}, []float64{nan, nan}, []float64{1, 1}},
		{"messages and a task", []float64{1, 1}, []float64{1, 1}, []float64{0, 0}},
		{"messages and a late count", []float64{1, 1}, []float64{1, nan}, []float64{0, 0}},
		{"late messages and no task", []float64{1, nan}, []float64{0, 0}, []float64{1, nan}},
		{"nothing to do", []float64{0}, []float64{0}, []float64{0}},
		{"nothing known", []float64{nan}, []float64{nan}, []float64{nan}},
	} {
		got := calculate(t, fromZero, map[string][]float64{"visible": tt.visible, "running": tt.running})
		if !sameSeries(got, tt.want) {
			t.Errorf("from zero, %s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// In-flight messages were not counted: busy tasks looked idle and were removed.
func TestDefect8MessagesInFlightCount(t *testing.T) {
	d := committed(t)
	backlog := d.property(t, "BacklogScalingPolicy", policyMetrics).([]any)
	got := calculate(t, backlog, map[string][]float64{
		"visible": {0, 3}, "inFlight": {8, 5}, "running": {8, 4},
	})
	if !sameSeries(got, []float64{1, 2}) {
		t.Errorf("backlog per task is %v, want [1 2]", got)
	}
	for i, name := range []string{"ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"} {
		metric := at(backlog[i], "MetricStat.Metric")
		want(t, "metric", at(metric, "MetricName"), name)
		want(t, "namespace", at(metric, "Namespace"), "AWS/SQS")
	}
}

// Visibility was 30 s without extension: longer messages were processed twice.
func TestDefect9VisibilityOutlastsTheWorkersHeartbeat(t *testing.T) {
	d := committed(t)
	want(t, "queue", d.property(t, "Queue", "VisibilityTimeout"), ref("VisibilityTimeoutSeconds"))
	if v := float(at(d.section("Parameters")["VisibilityTimeoutSeconds"], "Default")); v < 60 {
		t.Errorf("a message is hidden for %g s by default: one missed extension would show it", v)
	}
	// The worker extends it, so it must know it and be permitted to.
	want(t, "worker", taskVariables(t, d)["VISIBILITY_TIMEOUT_SECONDS"], ref("VisibilityTimeoutSeconds"))
	if !slices.Contains(grants(t, d, "TaskRole"), grant{"sqs:ChangeMessageVisibility", "Queue|QueueArn"}) {
		t.Error("the worker may not extend the visibility")
	}
}

// There was no dead-letter queue: one malformed body looped for four days.
func TestDefect10MessagesThatCannotBeProcessedAreSetAside(t *testing.T) {
	d := committed(t)
	want(t, "receives", d.property(t, "Queue", "RedrivePolicy.maxReceiveCount"), ref("MaxReceiveCount"))
	want(t, "where to", brief(t, d.property(t, "Queue", "RedrivePolicy.deadLetterTargetArn")),
		"DeadLetterQueue|DeadLetterQueueArn")
	kept, live := float(d.property(t, "DeadLetterQueue", "MessageRetentionPeriod")),
		float(d.property(t, "Queue", "MessageRetentionPeriod"))
	if kept <= live {
		t.Errorf("a message set aside is kept for %g s, one in the queue for %g s: it keeps its age", kept, live)
	}
	// Both are FIFO or neither is: SQS refuses a mixture.
	want(t, "type", d.property(t, "DeadLetterQueue", "FifoQueue"), d.property(t, "Queue", "FifoQueue"))
	if taskVariables(t, d)["DEAD_LETTER_QUEUE_URL"] == nil {
		t.Error("the worker does not know where to put what it cannot read")
	}
	want(t, "alarm", d.property(t, "DeadLetterQueueAlarm", "Threshold"), 0)
}

// No SIGTERM handling, no protection, a shell as entry point, root, a floating tag.
func TestDefect13TaskIsStoppedGentlyAndConfined(t *testing.T) {
	d := committed(t)
	container := d.property(t, "TaskDefinition", "ContainerDefinitions.0")
	want(t, "stop timeout", at(container, "StopTimeout"), 120)
	want(t, "the worker knows it", taskVariables(t, d)["STOP_TIMEOUT_SECONDS"], "120")
	user, _ := at(container, "User").(string)
	if user == "" || strings.HasPrefix(user, "0") || strings.HasPrefix(user, "root") {
		t.Errorf("the task runs as %q", user)
	}
	want(t, "root file system", at(container, "ReadonlyRootFilesystem"),
		map[string]any{"Fn::If": []any{"ExecEnabled", false, true}})
	want(t, "exec by default", at(d.section("Parameters")["EnableExec"], "Default"), "false")
	want(t, "capabilities", at(container, "LinuxParameters.Fn::If.2.Capabilities.Drop"), []any{"ALL"})
	want(t, "health check", at(container, "HealthCheck.Command"), []any{"CMD", "/worker", "-health"})
	for _, shell := range []string{"Command", "EntryPoint"} {
		want(t, shell, at(container, shell), nil) // the image's own, which is no shell
	}
	protects := func(g grant) bool { return g.action == "ecs:UpdateTaskProtection" }
	if !slices.ContainsFunc(grants(t, d, "TaskRole"), protects) {
		t.Error("a busy task may not protect itself")
	}
	want(t, "circuit breaker", d.property(t, "Service", "DeploymentConfiguration.DeploymentCircuitBreaker"),
		map[string]any{"Enable": true, "Rollback": true})
	want(t, "healthy", d.property(t, "Service", "DeploymentConfiguration.MinimumHealthyPercent"), 66)
	want(t, "public address", at(d.section("Parameters")["AssignPublicIp"], "Default"), "DISABLED")
}

// CloudWatchFullAccess, iam:PassRole *, ecs:RunTask *, one policy for both functions.
func TestDefect15LeastPrivilege(t *testing.T) {
	d := committed(t)
	for _, kind := range []string{"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"} {
		want(t, "policies that could be shared", d.ofType(kind), []string(nil))
	}
	owner := map[string]string{}
	for id, r := range d.section("Resources") {
		kind, _ := at(r, "Type").(string)
		if kind == "AWS::IAM::Role" {
			want(t, id+": managed policies", d.property(t, id, "ManagedPolicyArns"), nil)
			continue
		}
		want(t, id+": policies of SAM", d.property(t, id, "Policies"), nil)
		if strings.HasPrefix(kind, "Custom::") {
			continue // is told about roles, and assumes none
		}
		if kind == "AWS::Serverless::Function" && d.property(t, id, "Role") == nil {
			t.Errorf("SAM makes the role of %s, with a managed policy", id)
		}
		for role := range rolesOf(t, d, id) {
			if other := owner[role]; other != "" {
				t.Errorf("%s and %s share %s", id, other, role)
			}
			owner[role] = id
		}
	}
	for _, role := range d.ofType("AWS::IAM::Role") {
		if owner[role] == "" {
			t.Errorf("nobody has the role %s", role)
		}
		want(t, role+": may be assumed by", len(list(d.property(t, role, "AssumeRolePolicyDocument.Statement"))), 1)
		for _, g := range grants(t, d, role) {
			if strings.Contains(g.action, "*") || g.action == "ecs:RunTask" {
				t.Errorf("%s may %s", role, g.action)
			}
			if g.action == "iam:PassRole" {
				checkPassRole(t, d, role, g)
			}
		}
	}
}

// checkPassRole: a role of this stack, to one service.
func checkPassRole(t *testing.T, d document, role string, g grant) {
	t.Helper()
	if at(d.section("Resources")[g.resource], "Type") != "AWS::IAM::Role" {
		t.Errorf("%s may pass %s", role, g.resource)
	}
	for _, s := range statementsOf(t, d, role) {
		if slices.Contains(list(s["Action"]), any("iam:PassRole")) &&
			at(s["Condition"], "StringEquals.iam:PassedToService") == nil {
			t.Errorf("%s may pass a role to any service", role)
		}
	}
}

// No alarm, no dashboard; fixed names kept two copies out of one account.
func TestDefect18AlarmsAndDashboard(t *testing.T) {
	d := committed(t)
	notified := []any{ref("NotificationTopic")}
	for id, tells := range map[string]string{
		"DeadLetterQueueAlarm": "DeadLetterQueueNotification", "OldestMessageAlarm": "OldestMessageNotification",
		"PromiseAlarm": "PromiseNotification", "MaxTasksAlarm": "MaxTasksNotification",
		"ProduceFailedAlarm": "", "RetuneFailedAlarm": "", "VerifyTimedOutAlarm": "",
	} {
		if tells != "" {
			want(t, id+" tells itself", d.property(t, id, "AlarmActions"), nil)
			want(t, tells+" is about", d.property(t, tells, "AlarmRule"),
				map[string]any{"Fn::Sub": `ALARM("${` + id + `}")`})
			want(t, tells+" tells", d.property(t, tells, "AlarmActions"), notified)
		} else {
			want(t, id+" tells", d.property(t, id, "AlarmActions"), notified)
		}
		want(t, id+" without data", d.property(t, id, "TreatMissingData"), "notBreaching")
		if text, _ := d.property(t, id, "AlarmDescription").(string); len(text) < 20 {
			t.Errorf("%s does not say what it means", id)
		}
	}
	want(t, "delay", d.property(t, "OldestMessageAlarm", "Threshold"), ref("AcceptableDelaySeconds"))
	want(t, "promise", d.property(t, "PromiseAlarm", "Threshold"), 0.95)
	want(t, "most tasks", d.property(t, "MaxTasksAlarm", "Threshold"), ref("MaxTasks"))
	want(t, "minutes at most tasks", d.property(t, "MaxTasksAlarm", "EvaluationPeriods"), 15)

	age := d.property(t, "OldestMessageAlarm", "Metrics").([]any)
	got := calculate(t, age, map[string][]float64{"age": {300, 300}, "visible": {0, 2}})
	if !sameSeries(got, []float64{0, 300}) {
		t.Errorf("with one message that takes long the age alarm reads %v, want [0 300]", got)
	}
	for _, id := range []string{"ProduceFailedAlarm", "RetuneFailedAlarm"} {
		got := calculate(t, d.property(t, id, "Metrics").([]any), map[string][]float64{
			"failed": {1, nan, 0}, "late": {nan, 1, 0},
		})
		if !sameSeries(got, []float64{1, 1, 0}) {
			t.Errorf("%s reads %v, want [1 1 0]", id, got)
		}
	}
	want(t, "dashboards", len(d.ofType("AWS::CloudWatch::Dashboard")), 1)
}

func TestDefect18NamesDeriveFromTheStack(t *testing.T) {
	d := committed(t)
	naming := []string{
		"Name", "QueueName", "TopicName", "RoleName", "FunctionName", "LogGroupName", "AlarmName", "DashboardName",
		"ServiceName", "ClusterName", "StateMachineName", "PolicyName", "Family", "RepositoryName", "GroupName",
	}
	for id, r := range d.section("Resources") {
		for _, name := range naming {
			value := d.property(t, id, name)
			kind := at(r, "Type").(string)
			if strings.HasPrefix(kind, "Custom::") ||
				slices.Contains([]string{"AWS::EC2::VPCEndpoint", "AWS::Lambda::Permission"}, kind) {
				continue // there it is another's name
			}
			if value == nil {
				continue
			}
			if text, _ := subText(value.(map[string]any)); !strings.Contains(text, "${AWS::StackName}") {
				t.Errorf("%s: %s is %v in every stack", id, name, value)
			}
		}
	}
}

// Topic and queues take nothing without TLS, and only the alarms of this stack and the rules of this
// account get past the topic's policy.
func TestPoliciesOfQueuesAndTopic(t *testing.T) {
	d := committed(t)
	for policy, target := range map[string]any{
		"QueuePolicy": attribute("Queue", "Arn"), "DeadLetterQueuePolicy": attribute("DeadLetterQueue", "Arn"),
		"NotificationTopicPolicy": ref("NotificationTopic"),
	} {
		denied := false
		for _, s := range list(d.property(t, policy, "PolicyDocument.Statement")) {
			want(t, policy+" is for", at(s, "Resource"), target)
			denied = denied || at(s, "Effect") == "Deny" && at(s, "Condition.Bool.aws:SecureTransport") == "false"
			if at(s, "Effect") == "Allow" {
				want(t, policy+" account", at(s, "Condition.StringEquals.aws:SourceAccount"), ref("AWS::AccountId"))
				text, _ := subText(at(s, "Condition.ArnLike.aws:SourceArn").(map[string]any))
				// The name of an alarm begins with the stack's; that of a rule may hold only a part of it.
				own := regexp.MustCompile(`:(alarm:\$\{AWS::StackName}-|rule/)\*$`)
				if !own.MatchString(text) {
					t.Errorf("%s lets in %s", policy, text)
				}
			}
		}
		if !denied {
			t.Errorf("%s lets in callers without TLS", policy)
		}
	}
	for _, id := range []string{"Queue", "DeadLetterQueue"} {
		want(t, id+" is encrypted", d.property(t, id, "SqsManagedSseEnabled"), true)
	}
}

func taskVariables(t *testing.T, d document) map[string]any {
	t.Helper()
	values := map[string]any{}
	for _, v := range d.property(t, "TaskDefinition", "ContainerDefinitions.0.Environment").([]any) {
		values[at(v, "Name").(string)] = at(v, "Value")
	}
	return values
}
