package ministack

import "context"

// Task is an ECS task that is to run, with the task definition as the ECS API has it.
type Task struct {
	Account            string              `json:"account"`
	Region             string              `json:"region"`
	ARN                string              `json:"arn"`
	ClusterARN         string              `json:"clusterArn"`
	Group              string              `json:"group"` // "service:<name>" of a service's task
	LaunchType         string              `json:"launchType"`
	CapacityProvider   string              `json:"capacityProvider"`
	AvailabilityZone   string              `json:"availabilityZone"`
	Definition         TaskDefinition      `json:"definition"`
	ContainerOverrides []ContainerOverride `json:"containerOverrides"`
}

// TaskDefinition holds what running a task needs of its definition.
type TaskDefinition struct {
	ARN              string                `json:"taskDefinitionArn"`
	Family           string                `json:"family"`
	Revision         int                   `json:"revision"`
	TaskRoleARN      string                `json:"taskRoleArn"`
	ExecutionRoleARN string                `json:"executionRoleArn"`
	CPU              Text                  `json:"cpu"`
	Memory           Text                  `json:"memory"`
	Containers       []ContainerDefinition `json:"containerDefinitions"`
}

// ContainerDefinition is one container of a task definition.
type ContainerDefinition struct {
	Name        string       `json:"name"`
	Image       string       `json:"image"`
	Essential   *bool        `json:"essential"` // nil: true
	EntryPoint  []string     `json:"entryPoint"`
	Command     []string     `json:"command"`
	Environment []Variable   `json:"environment"`
	HealthCheck *HealthCheck `json:"healthCheck"`
	StopTimeout Number       `json:"stopTimeout"` // seconds, 0: ECS's default of 30
	LogDriver   struct {
		Name    string          `json:"logDriver"`
		Options map[string]Text `json:"options"`
	} `json:"logConfiguration"`
}

// Variable is one entry of a container's environment.
type Variable struct {
	Name  string `json:"name"`
	Value Text   `json:"value"`
}

// HealthCheck is a container's health check; times are seconds, 0 means ECS's default.
type HealthCheck struct {
	Command     []string `json:"command"`
	Interval    Number   `json:"interval"`
	Timeout     Number   `json:"timeout"`
	Retries     Number   `json:"retries"`
	StartPeriod Number   `json:"startPeriod"`
}

// ContainerOverride is what RunTask changes of a container.
type ContainerOverride struct {
	Name        string     `json:"name"`
	Command     []string   `json:"command"`
	Environment []Variable `json:"environment"`
}

// TaskRunning tells the emulator that the process of a task runs, and the digest of its image, "" if it has none.
func (p *Process) TaskRunning(ctx context.Context, arn, imageDigest string) error {
	return p.call(ctx, "ecs/task-running",
		map[string]any{"arn": arn, "imageDigest": imageDigest, "account": Account, "region": Region}, nil)
}

// TaskHealth tells the emulator what a task's health check says: HEALTHY or UNHEALTHY.
func (p *Process) TaskHealth(ctx context.Context, arn, status string) error {
	return p.call(ctx, "ecs/task-health",
		map[string]any{"arn": arn, "status": status, "account": Account, "region": Region}, nil)
}

// TaskStop says how a task has ended.
type TaskStop struct {
	// Reason and Code count only when nobody had asked the task to stop: EssentialContainerExited, TaskFailedToStart.
	Reason, Code string
	// ExitCode of the container, nil when it never ran.
	ExitCode *int
	// ContainerReason is, for example, why an image could not be pulled.
	ContainerReason string
}

// TaskStopped tells the emulator that a task has ended.
func (p *Process) TaskStopped(ctx context.Context, arn string, stop TaskStop) error {
	return p.call(ctx, "ecs/task-stopped", map[string]any{
		"arn": arn, "account": Account, "region": Region, "reason": stop.Reason, "stopCode": stop.Code,
		"exitCode": stop.ExitCode, "containerReason": stop.ContainerReason,
	}, nil)
}

// ServiceState is a service and its counts at one moment.
type ServiceState struct {
	Cluster   string `json:"cluster"`
	Name      string `json:"name"`
	Desired   int    `json:"desired"`
	Running   int    `json:"running"`
	Pending   int    `json:"pending"`
	Protected int    `json:"protected"` // of the running and pending tasks
	// Deployments counts the primary deployment and those that still have tasks.
	Deployments int `json:"deployments"`
	// Deploying tells whether a deployment is in progress.
	Deploying bool `json:"deploying"`
}

// Services answers every active service.
func (p *Process) Services(ctx context.Context) ([]ServiceState, error) {
	var answer struct{ Services []ServiceState }
	err := p.call(ctx, "ecs/services", struct{}{}, &answer)
	return answer.Services, err
}
