package main

import (
	"context"
	"fmt"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// What CodePipeline tells EventBridge (AWS CodePipeline user guide, "Monitoring CodePipeline events"), as far as a rule
// may look at it.

func stateOf(ok bool) string {
	if ok {
		return "SUCCEEDED"
	}
	return "FAILED"
}

func (p *pipeline) pipelineEvent(ctx context.Context, state string) error {
	return p.event(ctx, "Pipeline", map[string]any{"state": state, "pipeline-execution-attempt": 1})
}

// actionEvent tells how an action ended. External is the ARN of what it started elsewhere, summary what went wrong.
func (p *pipeline) actionEvent(ctx context.Context, stage, action string, ok bool, external, summary string) error {
	result := map[string]any{}
	if external != "" {
		result["external-execution-id"] = external
	}
	if !ok {
		result["external-execution-summary"] = summary
		result["error-code"] = "JobFailed"
	}
	return p.event(ctx, "Action", map[string]any{
		"state": stateOf(ok), "stage": stage, "action": action, "execution-result": result,
		"region": ministack.Region,
	})
}

func (p *pipeline) event(ctx context.Context, of string, detail map[string]any) error {
	detail["pipeline"], detail["execution-id"], detail["version"] = p.pipelineName, p.run, 1
	arn := fmt.Sprintf("arn:aws:codepipeline:%s:%s:%s", ministack.Region, ministack.Account, p.pipelineName)
	kind := "CodePipeline " + of + " Execution State Change"
	return p.cloud.PutEvent(ctx, "aws.codepipeline", kind, []string{arn}, detail)
}
