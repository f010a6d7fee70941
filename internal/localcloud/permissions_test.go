//go:build local

package localcloud_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"sqs-dynamic-target-tracking/internal/localcloud"
)

// TestLocalPermissions asks as a user what this engine serves itself, before and after a policy allows it.
func TestLocalPermissions(t *testing.T) {
	cloud := start(t, localcloud.Config{})
	user := makeUser(t, cloud)
	metrics := func(namespace string) error {
		_, err := cloudwatch.NewFromConfig(user).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
			Namespace:  &namespace,
			MetricData: []cwtypes.MetricDatum{{MetricName: aws.String("m"), Value: aws.Float64(1)}}})
		return err
	}
	targets := func() error {
		_, err := applicationautoscaling.NewFromConfig(user).DescribeScalableTargets(t.Context(),
			&applicationautoscaling.DescribeScalableTargetsInput{ServiceNamespace: types.ServiceNamespaceEcs})
		return err
	}
	token := func() error {
		_, err := ecr.NewFromConfig(user).GetAuthorizationToken(t.Context(), &ecr.GetAuthorizationTokenInput{})
		return err
	}
	queues := func() error { // for comparison, what the emulator serves
		_, err := sqs.NewFromConfig(user).ListQueues(t.Context(), &sqs.ListQueuesInput{})
		return err
	}
	for name, call := range map[string]func() error{
		"cloudwatch:PutMetricData":                        func() error { return metrics("mine") },
		"application-autoscaling:DescribeScalableTargets": targets,
		"ecr:GetAuthorizationToken":                       token,
		"sqs:listqueues":                                  queues,
	} {
		refused(t, call(), name)
	}
	allow(t, cloud, `{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*",`+
		`"Condition":{"StringEquals":{"cloudwatch:namespace":"mine"}}},`+
		`{"Effect":"Allow","Resource":"*",`+
		`"Action":["application-autoscaling:Describe*","ecr:GetAuthorizationToken","sqs:ListQueues"]}`)
	for name, err := range map[string]error{"metrics": metrics("mine"), "targets": targets(), "token": token(),
		"queues": queues()} {
		if err != nil {
			t.Errorf("%s, though it is allowed: %v", name, err)
		}
	}
	refused(t, metrics("theirs"), "cloudwatch:PutMetricData")

	stranger := cloud.AWSConfig()
	stranger.Credentials = credentials.NewStaticCredentialsProvider("AKIAUNKNOWN", "x", "")
	_, err := cloudwatch.NewFromConfig(stranger).ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{})
	var fault smithy.APIError
	if !errors.As(err, &fault) || fault.ErrorCode() != "UnrecognizedClientException" {
		t.Errorf("a stranger is answered %v", err)
	}
}

// TestLocalPermissionsOfECS: an action is checked on the resource that AWS checks it on. Nothing that is asked about
// exists; so what is allowed is answered with another error, or none.
func TestLocalPermissionsOfECS(t *testing.T) {
	cloud := start(t, localcloud.Config{})
	user := makeUser(t, cloud)
	const arn = `"Effect":"Allow","Resource":"arn:aws:ecs:us-east-1:000000000000:`
	allow(t, cloud, `{`+arn+`service/c/mine","Action":["ecs:*Service","ecs:DescribeServices","ecs:ListServiceDepl*"]},`+
		`{`+arn+`task/c/*","Action":["ecs:DescribeTasks","ecs:StopTask"]},`+
		`{`+arn+`service-revision/c/mine/*","Action":"ecs:DescribeServiceRevisions"},`+
		`{`+arn+`task-definition/mine:*","Action":["ecs:RegisterTaskDefinition","ecs:DescribeTaskDefinition"]},`+
		`{"Effect":"Allow","Resource":"*","Action":"ecs:ListTasks",`+
		`"Condition":{"ArnEquals":{"ecs:cluster":"arn:aws:ecs:us-east-1:000000000000:cluster/c"}}}`)
	api := ecs.NewFromConfig(user)
	update := func(cluster, service string) error {
		_, err := api.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: &cluster, Service: &service})
		return err
	}
	register := func(family string) error {
		_, err := api.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{Family: &family,
			ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("c"), Image: aws.String("i")}}})
		return err
	}
	for _, test := range []struct {
		action  string
		call    func() error
		refused bool
	}{
		{"UpdateService", func() error { return update("c", "mine") }, false},
		{"UpdateService", func() error {
			return update("arn:aws:ecs:us-east-1:000000000000:cluster/c", "mine")
		}, false},
		{"UpdateService", func() error { return update("c", "other") }, true},
		{"UpdateService", func() error { return update("d", "mine") }, true},
		{"DescribeServices", func() error {
			_, err := api.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("c"),
				Services: []string{"mine"}})
			return err
		}, false},
		{"ListServiceDeployments", func() error {
			_, err := api.ListServiceDeployments(t.Context(), &ecs.ListServiceDeploymentsInput{
				Cluster: aws.String("c"), Service: aws.String("other")})
			return err
		}, true},
		{"DescribeServiceRevisions", func() error {
			_, err := api.DescribeServiceRevisions(t.Context(), &ecs.DescribeServiceRevisionsInput{
				ServiceRevisionArns: []string{"arn:aws:ecs:us-east-1:000000000000:service-revision/c/mine/1"}})
			return err
		}, false},
		{"DescribeTasks", func() error {
			_, err := api.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("c"),
				Tasks: []string{"1"}})
			return err
		}, false},
		{"StopTask", func() error {
			_, err := api.StopTask(t.Context(), &ecs.StopTaskInput{Cluster: aws.String("d"), Task: aws.String("1")})
			return err
		}, true},
		{"ListTasks", func() error {
			_, err := api.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("c")})
			return err
		}, false},
		{"ListTasks", func() error {
			_, err := api.ListTasks(t.Context(), &ecs.ListTasksInput{Cluster: aws.String("d")})
			return err
		}, true},
		{"RegisterTaskDefinition", func() error { return register("mine") }, false},
		{"RegisterTaskDefinition", func() error { return register("other") }, true},
		{"DescribeTaskDefinition", func() error { // AWS knows no resource of it, so the policy lets nothing through
			_, err := api.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{
				TaskDefinition: aws.String("mine:1")})
			return err
		}, true},
	} {
		err := test.call()
		t.Logf("%s: %v", test.action, err)
		var fault smithy.APIError
		switch denied := errors.As(err, &fault) && strings.HasPrefix(fault.ErrorCode(), "AccessDenied"); {
		case test.refused:
			refused(t, err, "ecs:"+test.action)
		case denied:
			t.Errorf("%s is refused though a policy allows it: %v", test.action, err)
		}
	}
}

// refused checks that an error is AWS's refusal of an action.
func refused(t *testing.T, err error, action string) {
	t.Helper()
	var fault smithy.APIError
	words := strings.ToLower("not authorized to perform: " + action)
	if !errors.As(err, &fault) || !strings.HasPrefix(fault.ErrorCode(), "AccessDenied") ||
		!strings.Contains(strings.ToLower(fault.ErrorMessage()), words) {
		t.Errorf("%s without permission is answered %v", action, err)
	}
}

const userName = "somebody"

func makeUser(t *testing.T, cloud *localcloud.Cloud) aws.Config {
	t.Helper()
	api := iam.NewFromConfig(cloud.AWSConfig())
	if _, err := api.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String(userName)}); err != nil {
		t.Fatal(err)
	}
	out, err := api.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String(userName)})
	if err != nil {
		t.Fatal(err)
	}
	config := cloud.AWSConfig()
	config.Credentials = credentials.NewStaticCredentialsProvider(*out.AccessKey.AccessKeyId,
		*out.AccessKey.SecretAccessKey, "")
	return config
}

func allow(t *testing.T, cloud *localcloud.Cloud, statements string) {
	t.Helper()
	_, err := iam.NewFromConfig(cloud.AWSConfig()).PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{
		UserName: aws.String(userName), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLocalEmulatorDies: whoever waits is told in one line, and Close has nothing to wait for.
func TestLocalEmulatorDies(t *testing.T) {
	cloud := start(t, localcloud.Config{})
	for _, pid := range pidsOf(t, cloud.Dir()) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may be a child that has gone
	}
	select {
	case <-cloud.Failed():
	case <-time.After(10 * time.Second):
		t.Fatal("nobody is told that the emulator has died")
	}
	err := cloud.Err()
	// A line of the log would be taken for the reason.
	if err == nil || !strings.Contains(err.Error(), "ended from outside (signal: killed); its log: "+cloud.Dir()) {
		t.Errorf("the reason is %v", err)
	}
	t.Log(err)
	if err := cloud.Close(); err != nil {
		t.Error(err)
	}
}

// TestLocalStartIsInterrupted interrupts the start, as Ctrl-C does.
func TestLocalStartIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{Root: "../.."})
	if err == nil {
		_ = cloud.Close()
		t.Fatal("it started within 0.3 s")
	}
	t.Log(err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the reason is %v", err)
	}
}
