package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// Images finds the files of container images.
type Images interface {
	// Find answers the files of an image, which may have to be built first. Its errors are for people.
	Find(ctx context.Context, name string) (Image, error)
}

// Image is a container image as files on this machine.
type Image struct {
	// Root is the folder that holds the image's files.
	Root string
	// EntryPoint is the image's own, such as /worker.
	EntryPoint []string
}

// file is where a path of the image is on this machine. A path that the image does not have is one of this machine, so
// that a health check by shell works.
func (i Image) file(path string) string {
	inside := filepath.Join(i.Root, path)
	if _, err := os.Stat(inside); err == nil && filepath.IsAbs(path) {
		return inside
	}
	return path
}

func (i Image) command(args []string, env []string) command {
	return command{args: append([]string{i.file(args[0])}, args[1:]...), env: env, dir: i.Root}
}

// command is what the task's container runs.
func (t *task) command(image Image) command {
	args := t.container.EntryPoint
	if len(args) == 0 {
		args = image.EntryPoint
	}
	return image.command(append(append([]string{}, args...), t.container.Command...), t.environ())
}

// environ is the environment of the container: what ECS sets, then what the task definition sets.
func (t *task) environ() []string {
	a := t.agent
	env := append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/",
		"AWS_EXECUTION_ENV=AWS_ECS_FARGATE",
		"AWS_REGION=" + t.record.Region,
		"AWS_DEFAULT_REGION=" + t.record.Region,
		"ECS_AGENT_URI=" + a.endpoint + agentPath + t.token,
		"ECS_CONTAINER_METADATA_URI_V4=" + a.endpoint + metadataPath + t.token,
	}, a.config.Environ...)
	if t.keys != nil {
		env = append(env,
			"AWS_CONTAINER_CREDENTIALS_FULL_URI="+a.endpoint+credentialsPath+t.token,
			"AWS_CONTAINER_AUTHORIZATION_TOKEN="+t.token)
	}
	for _, v := range t.container.Environment {
		env = append(env, v.Name+"="+string(v.Value))
	}
	return env
}

// healthCommand is the container's health check as a command, or false when it has none.
func (t *task) healthCommand(image Image) (command, bool) {
	check := t.container.HealthCheck
	if check == nil || len(check.Command) < 2 {
		return command{}, false // also ["NONE"]
	}
	args := check.Command[1:]
	if check.Command[0] == "CMD-SHELL" {
		args = []string{"/bin/sh", "-c", strings.Join(args, " ")}
	}
	return image.command(args, t.environ()), true
}
