package tracking

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// shownDatapoints is how many datapoints a reason lists at most; the newest five were seen in public alarm messages.
const shownDatapoints = 5

// explain returns StateReason and StateReasonData for the state that the alarm has just reached.
func (a *Alarm) explain(at time.Time) (reason, data string) {
	if a.state == StateInsufficientData {
		unknown := plural(len(a.values), "datapoint was", "datapoints were")
		return fmt.Sprintf("Insufficient Data: %s unknown.", unknown), a.data(at, nil)
	}
	var evaluated, crossing []int // indexes of datapoints, newest first
	for i := len(a.values) - 1; i >= 0 && len(evaluated) < a.spec.EvaluationPeriods; i-- {
		if v := a.values[i]; v == v {
			evaluated = append(evaluated, i)
			if a.spec.breaches(v) == (a.state == StateAlarm) {
				crossing = append(crossing, i)
			}
		}
	}
	if len(crossing) == 0 {
		return fmt.Sprintf("no datapoints were received for %s and missing data was treated as [%s].",
			plural(a.spec.EvaluationPeriods, "period", "periods"), a.spec.TreatMissing), a.data(at, nil)
	}
	return a.crossed(len(evaluated), crossing), a.data(at, evaluated)
}

// crossed words a reason that datapoints gave; the crossing ones are those that made the alarm fire, or end.
func (a *Alarm) crossed(evaluated int, crossing []int) string {
	n, m := a.spec.EvaluationPeriods, a.spec.DatapointsToAlarm
	verb, least, change := "were", m, "OK -> ALARM"
	if len(crossing) == 1 {
		verb = "was"
	}
	if a.state == StateOK {
		verb, least, change = verb+" not", n-m+1, "ALARM -> OK"
	}
	transition := fmt.Sprintf("(minimum %s for %s transition)", plural(least, "datapoint", "datapoints"), change)
	threshold := fmt.Sprintf("%s the threshold (%s)", comparisonWords[a.spec.Comparison], decimal(a.spec.Threshold))
	list := a.list(crossing[:min(len(crossing), shownDatapoints)])
	head := fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints", len(crossing), evaluated)
	if len(crossing) > shownDatapoints {
		return fmt.Sprintf("%s %s %s. The most recent datapoints which crossed the threshold: %s %s.",
			head, verb, threshold, list, transition)
	}
	return fmt.Sprintf("%s %s %s %s %s.", head, list, verb, threshold, transition)
}

// list writes datapoints as [9.0 (24/11/26 12:01:00), ...].
func (a *Alarm) list(indexes []int) string {
	list := make([]string, len(indexes))
	for i, at := range indexes {
		list[i] = fmt.Sprintf("%s (%s)", decimal(a.values[at]), a.timeOf(at).Format("02/01/06 15:04:05"))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

var comparisonWords = map[Comparison]string{
	GreaterThan: "greater than", GreaterThanOrEqual: "greater than or equal to",
	LessThan: "less than", LessThanOrEqual: "less than or equal to",
}

// data returns StateReasonData: what was evaluated, oldest datapoint last.
func (a *Alarm) data(at time.Time, evaluated []int) string {
	const layout = "2006-01-02T15:04:05.000-0700"
	type point struct {
		Timestamp string  `json:"timestamp"`
		Value     float64 `json:"value"`
	}
	out := struct {
		Version    string    `json:"version"`
		QueryDate  string    `json:"queryDate"`
		StartDate  string    `json:"startDate,omitempty"`
		Period     float64   `json:"period"`
		Recent     []float64 `json:"recentDatapoints"`
		Threshold  float64   `json:"threshold"`
		Datapoints []point   `json:"evaluatedDatapoints,omitempty"`
	}{Version: "1.0", QueryDate: at.Format(layout), Period: a.spec.Period.Seconds(), Threshold: a.spec.Threshold}
	out.Recent = []float64{} // not null
	for i := len(evaluated) - 1; i >= 0; i-- {
		out.Recent = append(out.Recent, a.values[evaluated[i]])
	}
	for _, i := range evaluated {
		out.StartDate = a.timeOf(i).Format(layout)
		out.Datapoints = append(out.Datapoints, point{out.StartDate, a.values[i]})
	}
	text, err := json.Marshal(out)
	if err != nil { // datapoints are finite and the rest is text
		panic(err)
	}
	return string(text)
}

// decimal writes a number as CloudWatch does: 7.0, 8.25.
func decimal(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
