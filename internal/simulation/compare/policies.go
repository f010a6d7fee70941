// Package compare runs policies on the same load, holds them against bounds that no policy can reach, and sweeps the
// settings of this project's own.
package compare

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
	"sqs-dynamic-target-tracking/internal/simulation/choice"
	"sqs-dynamic-target-tracking/internal/simulation/policy"
)

// Described is a policy that can be chosen by its name.
type Described struct {
	Name, What string
	make       func(policy.Project) simulation.Policy
}

// Policies lists them; fixed:N is one more.
func Policies() []Described {
	plain := func(p simulation.Policy) func(policy.Project) simulation.Policy {
		return func(policy.Project) simulation.Policy { return p }
	}
	return []Described{
		{"project", "this project as deployed: retuned hourly and on drift, its settings chosen by replaying 24 h",
			func(p policy.Project) simulation.Policy { return choice.Policy(p, 24*time.Hour) }},
		{"project-formula", "the same with RetuneChoice formula: the settings stay", policy.Retuned},
		{"band", "this project with the band: its bounds follow the live queue", policy.InBand},
		{"project-static", "this project without a retune", policy.Static},
		{"backlog", "this project's backlog policy alone (h = 1), without a retune", policy.BacklogAlone},
		{"blueprint", "the AWS blueprint, its bugs repaired, retuned hourly", plain(policy.Blueprint{})},
		{"blueprint-bugs", "the AWS blueprint as it was, with its worker", plain(policy.Blueprint{Bugs: true})},
		{"guide", "the AWS guide: metric math, static target", plain(policy.Guide{})},
		{"copilot", "AWS Copilot's queue_delay", plain(policy.Copilot{})},
		{"cdk", "the CDK's QueueProcessingFargateService", plain(policy.CDK{CPU: true})},
		{"cdk-no-cpu", "the same without its CPU policy", plain(policy.CDK{})},
		{"keda", "KEDA's aws-sqs-queue scaler on Kubernetes", plain(policy.KEDA{})},
		{"steps", "step scaling on backlog per task", plain(policy.Steps{})},
	}
}

// Named returns the policy of that name; tuning is for this project's own.
func Named(name string, tuning policy.Project) (simulation.Policy, error) {
	if count, ok := strings.CutPrefix(name, "fixed:"); ok {
		tasks, err := strconv.Atoi(count)
		if err != nil || tasks < 1 {
			return nil, fmt.Errorf("policy %q: give a number of tasks, such as fixed:8", name)
		}
		return policy.Fixed{Tasks: tasks}, nil
	}
	var names []string
	for _, d := range Policies() {
		if d.Name == name {
			return d.make(tuning), nil
		}
		names = append(names, d.Name)
	}
	return nil, fmt.Errorf("there is no policy %q; there are %s, fixed:N", name, strings.Join(names, ", "))
}
