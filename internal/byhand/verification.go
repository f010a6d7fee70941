package byhand

import (
	"encoding/json"
	"fmt"
	"strings"

	"sqs-dynamic-target-tracking/internal/execution"
	"sqs-dynamic-target-tracking/internal/verify"
)

// Verification words the steps of an execution of the verify machine, each only when it says something new: a rollout
// is looked at every 15 s.
type Verification struct{ last string }

// Line is what the step has to say, or nothing.
func (v *Verification) Line(step execution.Step) string {
	if strings.HasSuffix(step.Name, "?") || strings.HasPrefix(step.Name, "Wait ") {
		return ""
	}
	line := strings.TrimSpace(fmt.Sprintf("%-22s %s", step.Name, words(step.Output)))
	if line == v.last {
		return ""
	}
	v.last = line
	return line
}

// words takes out of a step's output what is meant for people.
func words(output json.RawMessage) string {
	var said struct {
		Summary        string
		Verdict        verify.Verdict
		Problems       []string
		After          verify.Measured
		TaskDefinition string // of a canary's answer
		Error, Cause   string // of a step that failed and was caught
	}
	if json.Unmarshal(output, &said) != nil {
		return ""
	}
	switch {
	case said.Verdict != "":
		return strings.Join(append([]string{
			fmt.Sprintf("%s, %.0f messages processed", said.Verdict, said.After.Processed),
		}, said.Problems...), "; ")
	case said.Summary != "":
		return said.Summary
	case said.Error != "":
		return said.Error + message(said.Cause)
	case said.TaskDefinition != "":
		return "answered by " + said.TaskDefinition
	}
	return ""
}

// message is what the cause of an error says, behind a colon; a worker's cause is a JSON text.
func message(cause string) string {
	var said struct{ Message, TaskDefinition string }
	if json.Unmarshal([]byte(cause), &said) != nil || said.Message == "" {
		said.Message = cause
	}
	if said.TaskDefinition != "" {
		said.Message = said.TaskDefinition + ": " + said.Message
	}
	if said.Message == "" {
		return ""
	}
	return ": " + said.Message
}
