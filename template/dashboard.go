package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/cloudwatch"
)

// Sizes of a widget in the units of a dashboard, which is 24 wide.
const widgetWidth, widgetHeight = 12, 6

// widget is one picture.
type widget struct {
	title   string
	left    []metric
	right   []metric
	limit   string // parameter drawn as a line, "" for none
	percent bool   // the left axis ends at 100
}

// addDashboard makes one picture a question that people ask of the system.
// Dashboards are the account's, not the Region's, so the name tells both.
func addDashboard(s *stack) {
	s.resource("Dashboard", &cloudwatch.Dashboard{
		DashboardName: new(cfn.Sub("${AWS::StackName}-${AWS::Region}")),
		DashboardBody: subWith(dashboardBody(dashboardWidgets()), map[string]any{
			"Queue": queueName(), "Failed": onlyText("HasDeadLetterQueue", deadLetterQueueName()),
			"Cluster": clusterName(), "Service": serviceName(),
		}),
	})
}

// onlyText is value when the condition holds, else a dash: Fn::Sub takes no nothing.
func onlyText(condition, value string) string { return either(condition, value, "-") }

func dashboardWidgets() []widget {
	kept := metric{id: "percent", expression: "100 * kept", label: "Promise kept (%)"}
	deadLetters := metric{id: "dead", namespace: "AWS/SQS", name: "ApproximateNumberOfMessagesVisible", stat: "Maximum",
		dimensions: []dimension{{"QueueName", "${Failed}"}}, label: "In the dead-letter queue"}
	return []widget{
		{title: "How long do messages wait? (s)", limit: "AcceptableDelaySeconds",
			left: []metric{
				own("p50", "MsgWait", "p50"), own("p95", "MsgWait", "p95"), own("longest", "MsgWait", "Maximum"),
			}},
		{title: "Is the promise kept? (%)", percent: true,
			left: []metric{hidden(own("kept", "MsgWithinDelay", "Average")), kept}},
		{title: "How many tasks run?", limit: "MaxTasks", left: []metric{running()},
			right: []metric{own("busy", "SlotsBusy", "Sum")}},
		{title: "What waits, what is worked on, what arrives?", left: []metric{visible(), inFlight(), sent()}},
		{title: "Backlog per task and its target",
			left: append(calculation(backlogPerTask()), own("target", "ecsTargetBPI", "Maximum"))},
		{title: "Messages sent per period and task and their target",
			left: append(calculation(sentPerTask()), own("target", "ecsTargetRPI", "Maximum"))},
		{title: "How long does a message take? (s)",
			left: []metric{own("mean", "MsgProcessingDuration", "Average"), own("p95", "MsgProcessingDuration", "p95"),
				own("tuned", "MeasuredProcessingDuration", "Maximum")}},
		{title: "What went wrong?",
			left: []metric{own("failed", "MsgFailed", "Sum"), own("aside", "MsgSetAside", "Sum"),
				own("lost", "MsgLeaseLost", "Sum"), deadLetters}},
	}
}

// hidden marks a line that only other lines use.
func hidden(m metric) metric {
	m.label = hiddenLabel
	return m
}

const hiddenLabel = "-"

// calculation hides all lines but the last.
func calculation(lines []metric) []metric {
	var out []metric
	for _, m := range lines[:len(lines)-1] {
		out = append(out, hidden(m))
	}
	return append(out, lines[len(lines)-1])
}

// dashboardBody is the JSON of the pictures, two in a row, a metric a line.
// Parameters that are numbers are substituted without quotes.
func dashboardBody(widgets []widget) string {
	var pictures []string
	for i, w := range widgets {
		pictures = append(pictures, fmt.Sprintf(
			`  {"type": "metric", "x": %d, "y": %d, "width": %d, "height": %d, "properties": {`+"\n%s\n  }}",
			i%2*widgetWidth, i/2*widgetHeight, widgetWidth, widgetHeight, w.properties()))
	}
	text := "{\"widgets\": [\n" + strings.Join(pictures, ",\n") + "\n]}\n"
	for _, parameter := range []string{"MetricPeriodSeconds", "AcceptableDelaySeconds", "MaxTasks"} {
		text = strings.ReplaceAll(text, `"${`+parameter+`}"`, `${`+parameter+`}`)
	}
	return text
}

// properties are the inner lines of the picture's JSON object.
func (w widget) properties() string {
	var metrics []string
	for _, m := range w.left {
		metrics = append(metrics, "      "+compact(m.line("left")))
	}
	for _, m := range w.right {
		metrics = append(metrics, "      "+compact(m.line("right")))
	}
	axis := map[string]any{"min": 0}
	if w.percent {
		axis["max"] = 100
	}
	lines := []string{
		`    "title": ` + compact(w.title),
		`    "region": "${AWS::Region}"`,
		`    "period": "${MetricPeriodSeconds}"`,
		`    "yAxis": ` + compact(map[string]any{"left": axis}),
	}
	if w.limit != "" {
		line := map[string]any{"label": w.limit, "value": "${" + w.limit + "}"}
		lines = append(lines, `    "annotations": `+compact(map[string]any{"horizontal": []any{line}}))
	}
	lines = append(lines, "    \"metrics\": [\n"+strings.Join(metrics, ",\n")+"\n    ]")
	return strings.Join(lines, ",\n")
}

// compact is a value's JSON in one line.
func compact(v any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // expressions compare
	if err := encoder.Encode(v); err != nil {
		panic(err) // only literals of this package get here
	}
	return strings.TrimSpace(out.String())
}

// line is the metric as a dashboard writes it: namespace, name, dimensions and
// options in one list.
func (m metric) line(axis string) any {
	options := map[string]any{"id": m.id, "yAxis": axis}
	switch m.label {
	case "":
	case hiddenLabel:
		options["visible"] = false
	default:
		options["label"] = m.label
	}
	if m.expression != "" {
		options["expression"] = m.expression
		return []any{options}
	}
	options["stat"] = m.stat
	line := []any{m.namespace, m.name}
	for _, d := range m.dimensions {
		line = append(line, d.name, dashboardValue(d))
	}
	return append(line, options)
}

// dashboardValue names the variable of the body's Fn::Sub: inside a text an
// intrinsic function is only letters.
func dashboardValue(d dimension) string {
	switch {
	case strings.HasPrefix(d.value, "${"), d.name == "Type":
		return d.value
	case d.name == "QueueName":
		return "${Queue}"
	case d.name == "ClusterName":
		return "${Cluster}"
	default:
		return "${Service}"
	}
}
