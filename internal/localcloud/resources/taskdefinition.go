package resources

import (
	"context"
	"errors"
	"maps"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// addTaskDefinitions registers task definitions by the API. The emulator would write the template's own spelling into
// them, and leave out half: who copies one, as a pipeline does, would get another.
func addTaskDefinitions(kinds map[string]kind, config aws.Config) {
	t := taskDefinitions{ecs.NewFromConfig(config)}
	kinds["AWS::ECS::TaskDefinition"] = kind{put: t.put, remove: t.remove}
}

type taskDefinitions struct {
	api *ecs.Client
}

// put registers the next revision, unless nothing but the tags has changed.
func (t taskDefinitions) put(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	var in ecs.RegisterTaskDefinitionInput
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	if r.PhysicalID != "" && reflect.DeepEqual(untagged(r.Properties), untagged(r.OldProperties)) {
		_, err := t.api.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: &r.PhysicalID, Tags: in.Tags})
		return named(r.PhysicalID, "TaskDefinitionArn"), err
	}
	if in.Family == nil {
		in.Family = aws.String(r.StackName + "-" + r.LogicalID)
	}
	out, err := t.api.RegisterTaskDefinition(ctx, &in)
	if err != nil {
		return ministack.ResourceResult{}, err
	}
	return named(aws.ToString(out.TaskDefinition.TaskDefinitionArn), "TaskDefinitionArn"), nil
}

func (t taskDefinitions) remove(ctx context.Context, r ministack.ResourceRequest) error {
	_, err := t.api.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &r.PhysicalID})
	var gone *types.ClientException // "The specified task definition does not exist."
	if errors.As(err, &gone) {
		return nil
	}
	return err
}

func untagged(properties map[string]any) map[string]any {
	rest := maps.Clone(properties)
	delete(rest, "Tags")
	return rest
}
