//go:build local

package localcloud_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"sqs-dynamic-target-tracking/internal/localcloud"
	"sqs-dynamic-target-tracking/internal/workerimage"
)

// TestLocalPulledImage pushes an image to the engine's registry and runs it by digest, with and without the permissions
// of an execution role.
func TestLocalPulledImage(t *testing.T) {
	cloud := start(t, localcloud.Config{})
	reference := pushWorker(t, cloud)
	api := ecs.NewFromConfig(cloud.AWSConfig())
	if _, err := api.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("c")}); err != nil {
		t.Fatal(err)
	}
	run := func(image, role string) ecstypes.Task {
		t.Helper()
		definition, err := api.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
			Family: aws.String("f"), ExecutionRoleArn: &role, ContainerDefinitions: []ecstypes.ContainerDefinition{{
				Name: aws.String("worker"), Image: &image, Command: []string{"-health"}}}})
		if err != nil {
			t.Fatal(err)
		}
		started, err := api.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String("c"),
			TaskDefinition: definition.TaskDefinition.TaskDefinitionArn})
		if err != nil {
			t.Fatal(err)
		}
		var task ecstypes.Task
		eventually(t, "the task has stopped", func() bool {
			out, err := api.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("c"),
				Tasks: []string{*started.Tasks[0].TaskArn}})
			if err != nil {
				t.Fatal(err)
			}
			task = out.Tasks[0]
			return aws.ToString(task.LastStatus) == "STOPPED"
		})
		t.Logf("%s: %s, %s", image, task.StopCode, aws.ToString(task.StoppedReason))
		return task
	}
	may := makeRole(t, cloud, "may", `"ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"`)
	mayNot := makeRole(t, cloud, "may-not", `"ecr:GetAuthorizationToken"`)

	// Without its environment the worker's health check says no, which shows that it ran.
	task := run(reference, may)
	if task.StopCode != "EssentialContainerExited" || task.Containers[0].ExitCode == nil {
		t.Errorf("with the role that may pull: %s, %s", task.StopCode, aws.ToString(task.StoppedReason))
	}
	if digest := aws.ToString(task.Containers[0].ImageDigest); !strings.HasSuffix(reference, digest) || digest == "" {
		t.Errorf("the image of the task is %s, not %s", digest, reference)
	}
	repository, _, _ := strings.Cut(reference, "@")
	byTag := run(repository+":v1", may)
	if aws.ToString(byTag.Containers[0].ImageDigest) != aws.ToString(task.Containers[0].ImageDigest) {
		t.Errorf("by tag the image of the task is %s", aws.ToString(byTag.Containers[0].ImageDigest))
	}
	for name, test := range map[string]struct{ image, role, want string }{
		"the role may not": {reference, mayNot, "not authorized to perform: ecr:BatchGetImage"},
		"no such image":    {reference[:len(reference)-4] + "0000", may, "not found"},
		"no such tag":      {repository + ":v2", may, repository + ":v2: not found"},
		"no tag":           {repository, may, repository + ":latest: not found"},
		"not in ECR":       {"somewhere/worker:latest", may, "is neither"},
	} {
		task := run(test.image, test.role)
		reason := aws.ToString(task.StoppedReason)
		if task.StopCode != "TaskFailedToStart" || !strings.HasPrefix(reason, "CannotPullContainerError: ") ||
			!strings.Contains(reason, test.want) {
			t.Errorf("%s: %s, %s", name, task.StopCode, reason)
		}
	}
}

// pushWorker builds the worker as an image, pushes it and returns its name by digest.
func pushWorker(t *testing.T, cloud *localcloud.Cloud) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "worker")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", binary,
		"sqs-dynamic-target-tracking/worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	worker, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	image, err := workerimage.Build(worker, nil)
	if err != nil {
		t.Fatal(err)
	}
	api := ecr.NewFromConfig(cloud.AWSConfig())
	repository, err := api.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("w")})
	if err != nil {
		t.Fatal(err)
	}
	reference, err := workerimage.Registry{Login: workerimage.ECRLogin(api)}.Push(t.Context(),
		*repository.Repository.RepositoryUri, image, "v1")
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

// makeRole makes a role of ECS tasks that may do some actions on everything.
func makeRole(t *testing.T, cloud *localcloud.Cloud, name, actions string) (arn string) {
	t.Helper()
	api := iam.NewFromConfig(cloud.AWSConfig())
	out, err := api.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",` +
			`"Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	policy := fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[%s],"Resource":"*"}]}`, actions)
	if _, err := api.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("p"),
		PolicyDocument: &policy}); err != nil {
		t.Fatal(err)
	}
	return *out.Role.Arn
}
