package resources

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// addRecords adds what nothing here can run: that a template describes such a resource must not keep the rest of it
// from being deployed.
func addRecords(kinds map[string]kind) {
	nothing := func(context.Context, ministack.ResourceRequest) error { return nil }
	kinds["AWS::CodePipeline::Pipeline"] = kind{fixed: []string{"Name"}, put: putPipeline, remove: nothing}
}

// putPipeline refuses what CodePipeline refuses at once, as far as the form of a pipeline goes.
func putPipeline(_ context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	stages, _ := r.Properties["Stages"].([]any)
	switch {
	case text(r.Properties, "RoleArn") == "":
		return ministack.ResourceResult{}, errors.New("the pipeline has no RoleArn")
	case len(stages) < 2:
		return ministack.ResourceResult{}, fmt.Errorf("the pipeline has %d stages; it needs at least 2", len(stages))
	}
	for i, stage := range stages {
		s, _ := stage.(map[string]any)
		actions, _ := s["Actions"].([]any)
		if text(s, "Name") == "" || len(actions) == 0 {
			return ministack.ResourceResult{}, fmt.Errorf("stage %d of the pipeline needs a Name and Actions", i+1)
		}
	}
	name := cmp.Or(r.PhysicalID, text(r.Properties, "Name"))
	if name == "" {
		name = generatedName(r)
	}
	return ministack.ResourceResult{PhysicalID: name, Attributes: map[string]any{"Version": "1"}}, nil
}
