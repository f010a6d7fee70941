package localcloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/localcloud/autoscaling"
	"sqs-dynamic-target-tracking/internal/localcloud/iam"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/monitoring"
	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// startServices mounts the services that Go serves and starts their periodic work.
func (c *Cloud) startServices() {
	period := time.Duration(float64(time.Minute) / c.config.Speed)
	client := c.AWSConfig()
	topics := sns.NewFromConfig(client)
	c.monitoring = monitoring.New(monitoring.Config{
		Account: ministack.Account, Region: ministack.Region,
		Period:           period,
		PublicationDelay: time.Duration(float64(c.config.MetricDelay) / c.config.Speed),
		Queues:           monitoring.NewSQSQueues(sqs.NewFromConfig(client)),
		Machines:         monitoring.NewSFNMachines(sfn.NewFromConfig(client)),
		Services:         c.containerInsights,
		Event:            c.eventsOf("aws.cloudwatch"),
		Notify: func(ctx context.Context, topic, subject, message string) error {
			_, err := topics.Publish(ctx, &sns.PublishInput{TopicArn: &topic, Subject: &subject, Message: &message})
			return err
		},
		Authorize: authorize,
		Otherwise: c.proxy.forward,
		Log:       c.config.Log.With("part", "monitoring"),
	})
	c.autoscaling = autoscaling.New(autoscaling.Config{
		Account: ministack.Account, Region: ministack.Region,
		Period:    period,
		ECS:       ecs.NewFromConfig(client),
		Monitor:   c.monitoring,
		Event:     c.eventsOf("aws.application-autoscaling"),
		Authorize: authorize,
		Log:       c.config.Log.With("part", "autoscaling"),
	})
	c.WatchSQS(c.monitoring.ObserveSQS)
	c.proxy.serve("cloudformation", c.serveCloudFormation())
	c.proxy.serve("ecr", http.HandlerFunc(c.serveECR))
	c.proxy.serve("monitoring", c.monitoring)
	c.proxy.serve("application-autoscaling", c.autoscaling)
	c.background("monitoring", c.monitoring.Run)
	c.background("autoscaling", c.autoscaling.Run)
}

// background runs a part until Close.
func (c *Cloud) background(part string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil && ctx.Err() == nil {
			c.config.Log.Error("a part of the engine ended", "part", part, "error", err)
		}
	}()
	c.atClose(func() {
		cancel()
		<-done
	})
}

// authorize asks IAM and answers in the words of the services' wire protocols.
func authorize(ctx context.Context, action, resource string, conditions map[string]string) error {
	err := iam.Authorize(ctx, iam.Question{Action: action, Resource: resource, Context: conditions})
	var denied *iam.Denied
	if !errors.As(err, &denied) {
		return err
	}
	fault := wire.AccessDenied(denied.Message)
	if denied.Code != fault.Code { // the credentials are no good
		fault.Code, fault.QueryCode, fault.Status = denied.Code, denied.Code, 403
	}
	return fault
}

func (c *Cloud) eventsOf(source string) func(context.Context, string, []string, any) error {
	return func(ctx context.Context, detailType string, resources []string, detail any) error {
		return c.emulator.PutEvent(ctx, source, detailType, resources, detail)
	}
}

// PutEvent puts an event whose source is AWS itself ("aws.codepipeline") onto the default bus, which clients may not.
func (c *Cloud) PutEvent(ctx context.Context, source, detailType string, resources []string, detail any) error {
	return c.emulator.PutEvent(ctx, source, detailType, resources, detail)
}

// As configures clients as a role that a service of AWS acts in, such as codepipeline.amazonaws.com: the role's trust
// policy must name the service, and its permissions are those of each call. The keys are valid for an hour.
func (c *Cloud) As(ctx context.Context, role, service string) (aws.Config, error) {
	keys, err := c.emulator.RoleCredentials(ctx, role, service, "localcloud", time.Hour)
	if err != nil {
		return aws.Config{}, fmt.Errorf("act as %s: %w", role, err)
	}
	config := c.AWSConfig()
	config.Credentials = credentials.NewStaticCredentialsProvider(keys.AccessKey, keys.SecretKey, keys.SessionToken)
	return config, nil
}

// Services answers the counts of every ECS service now.
func (c *Cloud) Services(ctx context.Context) ([]ministack.ServiceState, error) {
	return c.emulator.Services(ctx)
}

// containerInsights are the counts that Container Insights would publish.
func (c *Cloud) containerInsights() []monitoring.Service {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	states, err := c.emulator.Services(ctx)
	if err != nil {
		c.config.Log.Warn("the counts of the services are not known", "error", err)
		return nil
	}
	services := make([]monitoring.Service, len(states))
	for i, s := range states {
		services[i] = monitoring.Service{Cluster: s.Cluster, Name: s.Name, Desired: s.Desired, Running: s.Running,
			Pending: s.Pending, Deployments: s.Deployments}
	}
	return services
}
