package agent

import (
	"strconv"
	"time"
)

// Task metadata, version 4: the members that a worker may want. Source: "Amazon ECS task metadata endpoint version 4
// for tasks on Fargate" in the ECS developer guide.

type containerMetadata struct {
	DockerID      string            `json:"DockerId"`
	Name          string            `json:"Name"`
	DockerName    string            `json:"DockerName"`
	Image         string            `json:"Image"`
	ImageID       string            `json:"ImageID"`
	Labels        map[string]string `json:"Labels"`
	DesiredStatus string            `json:"DesiredStatus"`
	KnownStatus   string            `json:"KnownStatus"`
	CreatedAt     time.Time         `json:"CreatedAt"`
	StartedAt     *time.Time        `json:"StartedAt,omitempty"`
	Type          string            `json:"Type"`
	LogDriver     string            `json:"LogDriver,omitempty"`
	LogOptions    map[string]string `json:"LogOptions,omitempty"`
	ContainerARN  string            `json:"ContainerARN"`
}

type taskMetadata struct {
	Cluster          string              `json:"Cluster"`
	TaskARN          string              `json:"TaskARN"`
	Family           string              `json:"Family"`
	Revision         string              `json:"Revision"`
	ServiceName      string              `json:"ServiceName,omitempty"`
	DesiredStatus    string              `json:"DesiredStatus"`
	KnownStatus      string              `json:"KnownStatus"`
	Limits           map[string]float64  `json:"Limits"`
	PullStartedAt    time.Time           `json:"PullStartedAt"`
	PullStoppedAt    *time.Time          `json:"PullStoppedAt,omitempty"`
	AvailabilityZone string              `json:"AvailabilityZone"`
	LaunchType       string              `json:"LaunchType"`
	Containers       []containerMetadata `json:"Containers"`
}

func (t *task) containerMetadata() containerMetadata {
	view, d := t.snapshot(), t.record.Definition
	options := map[string]string{}
	for name, value := range t.container.LogDriver.Options {
		options[name] = string(value)
	}
	return containerMetadata{
		DockerID:   view.ID + "-0",
		Name:       t.container.Name,
		DockerName: t.container.Name,
		Image:      t.container.Image,
		ImageID:    view.Digest,
		Labels: map[string]string{
			"com.amazonaws.ecs.cluster":                 t.record.ClusterARN,
			"com.amazonaws.ecs.container-name":          t.container.Name,
			"com.amazonaws.ecs.task-arn":                view.ARN,
			"com.amazonaws.ecs.task-definition-family":  d.Family,
			"com.amazonaws.ecs.task-definition-version": strconv.Itoa(d.Revision),
		},
		DesiredStatus: desiredStatus(view),
		KnownStatus:   view.Status,
		CreatedAt:     view.Created,
		StartedAt:     orNil(view.Started),
		Type:          "NORMAL",
		LogDriver:     t.container.LogDriver.Name,
		LogOptions:    options,
		ContainerARN:  view.ARN + "/" + t.container.Name,
	}
}

func (t *task) taskMetadata() taskMetadata {
	view, d := t.snapshot(), t.record.Definition
	cpu, _ := strconv.ParseFloat(string(d.CPU), 64) // absent: 0
	memory, _ := strconv.ParseFloat(string(d.Memory), 64)
	return taskMetadata{
		Cluster:          t.record.ClusterARN,
		TaskARN:          view.ARN,
		Family:           d.Family,
		Revision:         strconv.Itoa(d.Revision),
		ServiceName:      view.Service,
		DesiredStatus:    desiredStatus(view),
		KnownStatus:      view.Status,
		Limits:           map[string]float64{"CPU": cpu / 1024, "Memory": memory},
		PullStartedAt:    view.Created,
		PullStoppedAt:    orNil(view.Started),
		AvailabilityZone: t.record.AvailabilityZone,
		LaunchType:       t.record.LaunchType,
		Containers:       []containerMetadata{t.containerMetadata()},
	}
}

func desiredStatus(view Task) string {
	if view.Status == "STOPPING" || view.Status == "STOPPED" {
		return "STOPPED"
	}
	return "RUNNING"
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
