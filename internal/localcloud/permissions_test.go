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
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "signal: killed") {
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
