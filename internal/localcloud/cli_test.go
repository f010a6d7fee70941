//go:build local

package localcloud_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud"
)

// cli is the AWS CLI, a client of the engine that none of this project's code is part of.
type cli struct {
	t     *testing.T
	cloud *localcloud.Cloud
}

// run runs `aws ...` and reads its output into answer, unless that is nil.
func (c cli) run(answer any, args ...string) {
	c.t.Helper()
	env := c.cloud.Environ()
	cmd := exec.CommandContext(c.t.Context(), filepath.Join("..", "..", ".local", "bin", "aws"), args...)
	cmd.Env = env
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, problems.String())
	}
	if answer == nil {
		return
	}
	if err := json.Unmarshal(out, answer); err != nil {
		c.t.Fatalf("aws %s answered %s: %v", strings.Join(args, " "), out, err)
	}
}

// TestLocalExpressMachineByCLI: a schedule starts an Express machine at the pace of a scaled world, its waits are as
// much shorter, and its log tells what happened.
func TestLocalExpressMachineByCLI(t *testing.T) {
	const speed = 20
	c := cli{t, start(t, localcloud.Config{Speed: speed})}
	role := makeRole(t, c.cloud, "machine", `"states:StartExecution"`)
	c.run(nil, "logs", "create-log-group", "--log-group-name", "/looks")
	definition := `{"StartAt":"Look","States":{"Look":{"Type":"Pass","Result":{"floor":3},"Next":"Wait"},` +
		`"Wait":{"Type":"Wait","Seconds":20,"End":true}}}`
	var machine struct{ StateMachineArn string }
	c.run(&machine, "stepfunctions", "create-state-machine", "--name", "looks", "--type", "EXPRESS",
		"--role-arn", role, "--definition", definition, "--logging-configuration",
		`{"level":"ALL","includeExecutionData":true,"destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":`+
			`"arn:aws:logs:us-east-1:000000000000:log-group:/looks:*"}}]}`)
	var described struct{ Type, Status string }
	c.run(&described, "stepfunctions", "describe-state-machine", "--state-machine-arn", machine.StateMachineArn)
	if described.Type != "EXPRESS" || described.Status != "ACTIVE" {
		t.Errorf("the machine is %+v", described)
	}
	c.run(nil, "events", "put-rule", "--name", "each-minute", "--schedule-expression", "rate(1 minute)")
	c.run(nil, "events", "put-targets", "--rule", "each-minute", "--targets",
		`[{"Id":"1","Arn":"`+machine.StateMachineArn+`","RoleArn":"`+role+`","Input":"{\"reason\":\"schedule\"}"}]`)

	type event struct {
		ID           string `json:"id"`
		Type         string
		Details      struct{ Name, Input, Output string }
		At           json.Number `json:"event_timestamp"`
		ExecutionArn string      `json:"execution_arn"`
	}
	var events []event
	eventually(t, "four executions are in the log", func() bool {
		var log struct{ Events []struct{ Message string } }
		c.run(&log, "logs", "filter-log-events", "--log-group-name", "/looks")
		events = nil
		for _, line := range log.Events {
			var e event
			if err := json.Unmarshal([]byte(line.Message), &e); err != nil {
				t.Fatalf("the log has a line %s: %v", line.Message, err)
			}
			events = append(events, e)
		}
		return len(events) >= 4*6
	})
	at := func(e event) time.Duration {
		milliseconds, _ := e.At.Int64()
		return time.Duration(milliseconds) * time.Millisecond
	}
	var starts []time.Duration
	var kinds []string
	for _, e := range events {
		if e.ExecutionArn == events[0].ExecutionArn {
			kinds = append(kinds, e.Type+" "+e.Details.Name)
		}
		switch e.Type {
		case "ExecutionStarted":
			starts = append(starts, at(e))
			if e.Details.Input != `{"reason":"schedule"}` {
				t.Errorf("an execution got the input %q", e.Details.Input)
			}
		case "PassStateExited":
			if e.Details.Output != `{"floor":3}` && e.Details.Output != `{"floor": 3}` {
				t.Errorf("the look's output is %q", e.Details.Output)
			}
		}
	}
	if want := []string{"ExecutionStarted ", "PassStateEntered Look", "PassStateExited Look", "WaitStateEntered Wait",
		"WaitStateExited Wait", "ExecutionSucceeded "}; !slices.Equal(kinds, want) {
		t.Errorf("an execution's log tells %q", kinds)
	}
	slices.Sort(starts)
	for i := range starts[1:] {
		if apart := starts[i+1] - starts[i]; (apart - time.Minute/speed).Abs() > time.Second {
			t.Errorf("starts %v apart, want %v", apart, time.Minute/speed)
		}
	}
	t.Logf("starts at %v", starts)
}

// TestLocalScheduledActionsByCLI: bounds set now move the service at once; bounds set for later do when it is time.
func TestLocalScheduledActionsByCLI(t *testing.T) {
	c := cli{t, start(t, localcloud.Config{Speed: 20})}
	c.run(nil, "ecs", "create-cluster", "--cluster-name", "c")
	c.run(nil, "ecs", "register-task-definition", "--family", "f", "--container-definitions",
		`[{"name":"worker","image":"`+localcloud.WorkerImage+`","command":["-health"]}]`)
	c.run(nil, "ecs", "create-service", "--cluster", "c", "--service-name", "s", "--task-definition", "f",
		"--desired-count", "1")
	target := []string{"--service-namespace", "ecs", "--resource-id", "service/c/s", "--scalable-dimension",
		"ecs:service:DesiredCount"}
	scaling := func(answer any, args ...string) {
		t.Helper()
		c.run(answer, append(append([]string{"application-autoscaling", args[0]}, target...), args[1:]...)...)
	}
	desired := func() (count int) {
		var out struct{ Services []struct{ DesiredCount int } }
		c.run(&out, "ecs", "describe-services", "--cluster", "c", "--services", "s")
		return out.Services[0].DesiredCount
	}
	scaling(nil, "register-scalable-target", "--min-capacity", "1", "--max-capacity", "10")
	scaling(nil, "register-scalable-target", "--min-capacity", "3")
	if got := desired(); got != 3 {
		t.Errorf("with a minimum of 3 the service wants %d tasks at once", got)
	}
	in := func(seconds int) string {
		return time.Now().Add(time.Duration(seconds) * time.Second).UTC().Format("at(2006-01-02T15:04:05)")
	}
	put := func(name, when, bounds string) {
		t.Helper()
		scaling(nil, "put-scheduled-action", "--scheduled-action-name", name, "--schedule", when,
			"--scalable-target-action", bounds)
	}
	put("ceiling", in(60), "MaxCapacity=2")
	put("floor", in(60), "MinCapacity=1")
	put("never", in(3600), "MinCapacity=9")
	put("ceiling", in(5), "MinCapacity=1,MaxCapacity=2") // armed anew: the old time does not count any more
	var actions struct {
		ScheduledActions []struct{ ScheduledActionName, Schedule string }
	}
	scheduled := func() (names []string) {
		c.run(&actions, "application-autoscaling", "describe-scheduled-actions", "--service-namespace", "ecs")
		for _, a := range actions.ScheduledActions {
			names = append(names, a.ScheduledActionName)
		}
		return names
	}
	if got := scheduled(); !slices.Equal(got, []string{"ceiling", "floor", "never"}) {
		t.Errorf("scheduled are %q", got)
	}
	eventually(t, "the ceiling of 2 holds", func() bool { return desired() == 2 })
	var activities struct {
		ScalingActivities []struct{ Cause, Description string }
	}
	scaling(&activities, "describe-scaling-activities")
	if told := fmt.Sprint(activities.ScalingActivities); !strings.HasPrefix(told, "[{maximum capacity was set to 2 "+
		"Setting desired count to 2.} {scheduled action name ceiling was triggered Setting min capacity to 1 and max "+
		"capacity to 2} {minimum capacity was set to 3 Setting desired count to 3.}") {
		t.Errorf("the activities are %s", told)
	}
	scaling(nil, "delete-scheduled-action", "--scheduled-action-name", "never")
	if got := scheduled(); !slices.Equal(got, []string{"floor"}) { // what was done once is gone
		t.Errorf("scheduled are %q", got)
	}
}

// TestLocalDriftAlarmByCLI: an alarm over an expression with a reference in it goes off when the metric leaves it, its
// event starts a machine, and the same alarm with a new reference is at rest again.
func TestLocalDriftAlarmByCLI(t *testing.T) {
	const speed = 60 // a period is a second
	c := cli{t, start(t, localcloud.Config{Speed: speed})}
	role := makeRole(t, c.cloud, "machine", `"states:StartExecution"`)
	var machine struct{ StateMachineArn string }
	c.run(&machine, "stepfunctions", "create-state-machine", "--name", "retune", "--role-arn", role,
		"--definition", `{"StartAt":"Done","States":{"Done":{"Type":"Succeed"}}}`)
	put := func(reference float64) {
		t.Helper()
		c.run(nil, "cloudwatch", "put-metric-alarm", "--alarm-name", "drift", "--evaluation-periods", "3",
			"--datapoints-to-alarm", "2", "--threshold", "0.3", "--comparison-operator", "GreaterThanThreshold",
			"--treat-missing-data", "notBreaching", "--metrics", fmt.Sprintf(`[{"Id":"d","ReturnData":false,`+
				`"MetricStat":{"Metric":{"Namespace":"N","MetricName":"Duration"},"Period":1,"Stat":"Average"}},`+
				`{"Id":"drift","Expression":"ABS(d / %g - 1)","ReturnData":true}]`, reference))
	}
	put(5)
	c.run(nil, "events", "put-rule", "--name", "on-drift", "--event-pattern", `{"source":["aws.cloudwatch"],`+
		`"detail-type":["CloudWatch Alarm State Change"],"detail":{"alarmName":["drift"],"state":{"value":["ALARM"]}}}`)
	c.run(nil, "events", "put-targets", "--rule", "on-drift", "--targets",
		`[{"Id":"1","Arn":"`+machine.StateMachineArn+`","RoleArn":"`+role+`","Input":"{\"reason\":\"drift\"}"}]`)
	state := func() string {
		var out struct{ MetricAlarms []struct{ StateValue string } }
		c.run(&out, "cloudwatch", "describe-alarms", "--alarm-names", "drift")
		return out.MetricAlarms[0].StateValue
	}
	measured := func(what string, value string, met func() bool) {
		t.Helper()
		eventually(t, what, func() bool {
			c.run(nil, "cloudwatch", "put-metric-data", "--namespace", "N", "--metric-name", "Duration",
				"--value", value)
			return met()
		})
	}
	measured("the alarm is at rest", "5.5", func() bool { return state() == "OK" })
	measured("the alarm goes off", "9", func() bool { return state() == "ALARM" })
	var found struct {
		Executions []struct{ ExecutionArn string }
	}
	eventually(t, "the drift has started the machine", func() bool {
		c.run(&found, "stepfunctions", "list-executions", "--state-machine-arn", machine.StateMachineArn)
		return len(found.Executions) > 0
	})
	var execution struct{ Input string }
	c.run(&execution, "stepfunctions", "describe-execution", "--execution-arn", found.Executions[0].ExecutionArn)
	if execution.Input != `{"reason":"drift"}` || len(found.Executions) != 1 {
		t.Errorf("%d executions, the first with %s", len(found.Executions), execution.Input)
	}
	put(9)
	measured("the alarm is at rest with the new reference", "9", func() bool { return state() == "OK" })
	measured("the alarm goes off again", "5", func() bool { return state() == "ALARM" })
	eventually(t, "the machine is started again", func() bool {
		c.run(&found, "stepfunctions", "list-executions", "--state-machine-arn", machine.StateMachineArn)
		return len(found.Executions) == 2
	})
}
