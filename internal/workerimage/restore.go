package workerimage

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

type serviceUpdater interface {
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// Restorer ends the rollback of a stack. CloudFormation takes the service back to the task definition that it made
// last, without asking for the image again. If the pipeline had deployed since, that is not what ran before the update.
type Restorer struct {
	Stack   Stack
	Records Records
	ECS     serviceUpdater
	Name    string // of the stack
}

// Restoration says what a Restorer did, for people.
type Restoration struct {
	Action         string `json:"action"` // "none" or "restored"
	Reason         string `json:"reason"`
	TaskDefinition string `json:"taskDefinition,omitempty"`
	Image          string `json:"image,omitempty"`
}

// Restore gives the service the task definition from before the update, if its image is not the one that ran then. It
// may be called at any time and as often as one likes.
func (r Restorer) Restore(ctx context.Context, _ struct{}) (Restoration, error) {
	record, err := r.Records.read(ctx)
	if err != nil {
		return Restoration{}, err
	}
	if record == nil || !record.Restore || record.Before.TaskDefinition == "" {
		return Restoration{Action: "none", Reason: "the image was not asked for during a rollback of the stack"}, nil
	}
	running, err := r.Stack.running(ctx, r.Name)
	if err != nil {
		return Restoration{}, err
	}
	done := Restoration{Action: "none", Reason: "the service runs the image from before the update"}
	switch {
	case running == nil:
		done.Reason = "the stack has no service"
	case running.image != record.Before.Image:
		_, err := r.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: &running.cluster, Service: &running.service, TaskDefinition: &record.Before.TaskDefinition,
		})
		if err != nil {
			return Restoration{}, fmt.Errorf("give %s back its task definition %s: %w",
				running.service, record.Before.TaskDefinition, err)
		}
		done = Restoration{
			Action: "restored", Reason: "the stack's own task definition had another image",
			TaskDefinition: record.Before.TaskDefinition, Image: record.Before.Image,
		}
	}
	record.Restore = false
	return done, r.Records.write(ctx, *record)
}
