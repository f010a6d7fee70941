package agent

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Images finds the files of container images.
type Images interface {
	// Find answers the files of an image, which may have to be built or pulled first; as is who pulls it, the task's
	// execution role. Its errors are for people.
	Find(ctx context.Context, name string, as aws.Config) (Image, error)
}

// Image is a container image as files on this machine.
type Image struct {
	// Root is the folder that holds the image's files.
	Root string
	// EntryPoint, Command and Environ are the image's own; a task definition can replace the first two.
	EntryPoint, Command, Environ []string
	// Digest of the image's manifest, sha256:...; empty for an image that was built here.
	Digest string
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

func (i Image) command(args, env []string) command {
	if len(args) == 0 {
		args = []string{""} // which cannot be started, and says so
	}
	return command{args: append([]string{i.file(args[0])}, args[1:]...), env: env, dir: i.Root}
}

// command is what the task's container runs.
func (t *task) command(image Image) command {
	entry, rest := t.container.EntryPoint, t.container.Command
	if len(entry) == 0 {
		entry = image.EntryPoint
		if len(rest) == 0 {
			rest = image.Command
		}
	}
	return image.command(slices.Concat(entry, rest), t.environ(image))
}

// environ is the environment of the image, with paths to its own files made right.
func (i Image) environ() []string {
	var env []string
	for _, entry := range i.Environ {
		name, value, _ := strings.Cut(entry, "=")
		env = append(env, name+"="+i.file(value))
	}
	return env
}

// environ is the environment of the container: the image's, what ECS sets, then what the task definition sets.
func (t *task) environ(image Image) []string {
	a := t.agent
	env := append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/",
		"AWS_EXECUTION_ENV=AWS_ECS_FARGATE",
		"AWS_REGION=" + t.record.Region,
		"AWS_DEFAULT_REGION=" + t.record.Region,
		"ECS_AGENT_URI=" + a.endpoint + agentPath + t.token,
		"ECS_CONTAINER_METADATA_URI_V4=" + a.endpoint + metadataPath + t.token,
	}, slices.Concat(image.environ(), a.config.Environ)...)
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
	return image.command(args, t.environ(image)), true
}
