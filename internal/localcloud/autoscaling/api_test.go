package autoscaling

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// TestResourcesOfAllServices registers one target of each kind, by the forms of the API reference.
func TestResourcesOfAllServices(t *testing.T) {
	w := setup(t, nil)
	for _, k := range []key{
		{"ecs", resource, "ecs:service:DesiredCount"},
		{"ec2", "spot-fleet-request/sfr-73fbd2ce-aa30-494c-8788-1cee4EXAMPLE", "ec2:spot-fleet-request:TargetCapacity"},
		{"elasticmapreduce", "instancegroup/j-2EEZNYKUA1NTV/ig-1791Y4E1L8YI0",
			"elasticmapreduce:instancegroup:InstanceCount"},
		{"appstream", "fleet/sample-fleet", "appstream:fleet:DesiredCapacity"},
		{"dynamodb", "table/my-table", "dynamodb:table:ReadCapacityUnits"},
		{"dynamodb", "table/my-table/index/my-table-index", "dynamodb:index:WriteCapacityUnits"},
		{"rds", "cluster:my-db-cluster", "rds:cluster:ReadReplicaCount"},
		{"sagemaker", "endpoint/my-end-point/variant/KMeansClustering", "sagemaker:variant:DesiredInstanceCount"},
		{"sagemaker", "inference-component/my-component", "sagemaker:inference-component:DesiredCopyCount"},
		{"custom-resource", "https://test-endpoint.amazon.com/ScalableDimension/test-resource",
			"custom-resource:ResourceType:Property"},
		{"comprehend", "arn:aws:comprehend:us-west-2:123456789012:document-classifier-endpoint/EXAMPLE",
			"comprehend:document-classifier-endpoint:DesiredInferenceUnits"},
		{"comprehend", "arn:aws:comprehend:us-west-2:123456789012:entity-recognizer-endpoint/EXAMPLE",
			"comprehend:entity-recognizer-endpoint:DesiredInferenceUnits"},
		{"lambda", "function:my-function:prod", "lambda:function:ProvisionedConcurrency"},
		{"cassandra", "keyspace/mykeyspace/table/mytable", "cassandra:table:ReadCapacityUnits"},
		{"kafka", "arn:aws:kafka:us-east-1:123456789012:cluster/demo/6357e0b2-0e6a-4b86-a0b4-70df934c2e31-5",
			"kafka:broker-storage:VolumeSize"},
		{"elasticache", "replication-group/mycluster", "elasticache:replication-group:NodeGroups"},
		{"elasticache", "cache-cluster/mycluster", "elasticache:cache-cluster:Nodes"},
		{"neptune", "cluster:mycluster", "neptune:cluster:ReadReplicaCount"},
		{"workspaces", "workspacespool/wspool-123456", "workspaces:workspacespool:DesiredUserSessions"},
	} {
		_, err := w.RegisterScalableTarget(t.Context(), &aas.RegisterScalableTargetInput{
			ServiceNamespace: types.ServiceNamespace(k.namespace), ResourceId: &k.resource,
			ScalableDimension: types.ScalableDimension(
				k.dimension,
			), MinCapacity: aws.Int32(1), MaxCapacity: aws.Int32(8),
		})
		if err != nil {
			t.Errorf("%s: %v", k, err)
			continue
		}
		out, err := w.DescribeScalableTargets(t.Context(), &aas.DescribeScalableTargetsInput{
			ServiceNamespace: types.ServiceNamespace(k.namespace), ResourceIds: []string{k.resource},
		})
		if err != nil || len(out.ScalableTargets) != 1 ||
			!strings.Contains(*out.ScalableTargets[0].RoleARN, k.namespace+".application-autoscaling") {
			t.Errorf("%s: described as %+v, %v", k, out, err)
		}
	}
}

func TestRegistrationIsShownAndMerged(t *testing.T) {
	w := setup(t, nil)
	arn := w.register(t, 1, 10)
	if !regexp.MustCompile(`^arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/[0-9a-z]{36}$`).
		MatchString(arn) {
		t.Errorf("ARN of the target: %s", arn)
	}
	_, err := w.RegisterScalableTarget(t.Context(), &aas.RegisterScalableTargetInput{
		ServiceNamespace: "ecs", ResourceId: aws.String(resource), ScalableDimension: dimension,
		MaxCapacity:    aws.Int32(20),
		SuspendedState: &types.SuspendedState{DynamicScalingInSuspended: aws.Bool(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := w.DescribeScalableTargets(t.Context(), &aas.DescribeScalableTargetsInput{ServiceNamespace: "ecs"})
	if err != nil || len(out.ScalableTargets) != 1 {
		t.Fatalf("%d targets, error %v", len(out.ScalableTargets), err)
	}
	got := out.ScalableTargets[0]
	if *got.MinCapacity != 1 || *got.MaxCapacity != 20 || *got.ScalableTargetARN != arn ||
		time.Since(*got.CreationTime) > time.Minute {
		t.Errorf("target is shown as %+v", got)
	}
	if s := got.SuspendedState; !*s.DynamicScalingInSuspended || *s.DynamicScalingOutSuspended ||
		*s.ScheduledScalingSuspended {
		t.Errorf("suspended state is %+v", s)
	}
}

func TestPaging(t *testing.T) {
	w := setup(t, nil)
	for i := range 60 {
		name := fmt.Sprintf("jobs/s%d", i)
		w.ecs.desired[name] = 1
		_, err := w.RegisterScalableTarget(t.Context(), &aas.RegisterScalableTargetInput{ServiceNamespace: "ecs",
			ResourceId: aws.String("service/" + name), ScalableDimension: dimension, MinCapacity: aws.Int32(1),
			MaxCapacity: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for size, want := range map[int32][]int{0: {50, 10}, 25: {25, 25, 10}, 100: {50, 10}} {
		in := &aas.DescribeScalableTargetsInput{ServiceNamespace: "ecs"}
		if size > 0 {
			in.MaxResults = &size
		}
		var sizes []int
		seen := map[string]bool{}
		for pages := aas.NewDescribeScalableTargetsPaginator(w.Client, in); pages.HasMorePages(); {
			p, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(p.ScalableTargets))
			for _, s := range p.ScalableTargets {
				seen[*s.ResourceId] = true
			}
		}
		if fmt.Sprint(sizes) != fmt.Sprint(want) || len(seen) != 60 {
			t.Errorf("MaxResults %d: pages of %v with %d different targets, want %v with 60", size, sizes, len(seen),
				want)
		}
	}
	_, err := w.DescribeScalableTargets(t.Context(),
		&aas.DescribeScalableTargetsInput{ServiceNamespace: "ecs", NextToken: aws.String("x")})
	if code, _ := faultOf(err); code != "InvalidNextTokenException" {
		t.Errorf("a wrong token: %v", err)
	}
}

// Defect 5 of the original's facts: the first policy of a list was taken unchecked. Here an unknown one is an error.
func TestPoliciesArePutShownAndDeleted(t *testing.T) {
	w := setup(t, nil)
	w.register(t, 1, 10)
	first, err := w.PutScalingPolicy(t.Context(), backlogPolicy("s-backlog", 10))
	if err != nil {
		t.Fatal(err)
	}
	form := `^arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:[0-9a-f-]{36}:` +
		`resource/ecs/service/jobs/worker:policyName/s-backlog$`
	if !regexp.MustCompile(form).MatchString(*first.PolicyARN) {
		t.Errorf("ARN of the policy: %s", *first.PolicyARN)
	}
	again, err := w.PutScalingPolicy(t.Context(), backlogPolicy("s-backlog", 12.5))
	if err != nil || *again.PolicyARN != *first.PolicyARN {
		t.Errorf("put again: %+v, %v", again, err)
	}
	other := backlogPolicy("s-other", 3)
	metrics := other.TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics
	metrics[0].MetricStat.Stat = aws.String("Maximum")
	if _, err := w.PutScalingPolicy(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	out, err := w.DescribeScalingPolicies(t.Context(),
		&aas.DescribeScalingPoliciesInput{ServiceNamespace: "ecs", PolicyNames: []string{"s-backlog"}})
	if err != nil || len(out.ScalingPolicies) != 1 {
		t.Fatalf("%d policies, %v", len(out.ScalingPolicies), err)
	}
	p := out.ScalingPolicies[0]
	if c := p.TargetTrackingScalingPolicyConfiguration; *c.TargetValue != 12.5 ||
		len(c.CustomizedMetricSpecification.Metrics) != 3 ||
		c.DisableScaleIn != nil {
		t.Errorf("policy is shown as %+v", c)
	}
	if len(p.Alarms) != 2 {
		t.Errorf("policy has %d alarms", len(p.Alarms))
	}
	_, err = w.DeleteScalingPolicy(
		t.Context(),
		&aas.DeleteScalingPolicyInput{PolicyName: aws.String("s-backlog"), ServiceNamespace: "ecs",
			ResourceId: aws.String(resource), ScalableDimension: dimension},
	)
	if err != nil {
		t.Fatal(err)
	}
	alarms, err := w.metrics.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	if err != nil || len(alarms.MetricAlarms) != 2 {
		t.Errorf("after one of two policies was deleted, %d alarms are left, want 2; %v", len(alarms.MetricAlarms),
			err)
	}
}

func TestATargetHasAtMost50Policies(t *testing.T) {
	w := setup(t, nil)
	w.register(t, 1, 10)
	for i := range maxPolicies + 1 {
		in := backlogPolicy(fmt.Sprint("p", i), 10)
		metrics := in.TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics
		metrics[0].Label = aws.String(fmt.Sprint(i)) // the same metric twice would be refused for another reason
		_, err := w.PutScalingPolicy(t.Context(), in)
		if code, _ := faultOf(err); (code == "LimitExceededException") != (i == maxPolicies) {
			t.Fatalf("policy %d of %d: %v", i+1, maxPolicies, err)
		}
	}
}

func TestPoliciesOfOtherServicesHaveAlarms(t *testing.T) {
	w := setup(t, nil)
	for ns, want := range map[string]struct {
		resource, dimension, metric string
		alarms                      int
	}{
		"dynamodb": {"table/orders", "dynamodb:table:ReadCapacityUnits", "DynamoDBReadCapacityUtilization", 4},
		"sagemaker": {"endpoint/e/variant/v", "sagemaker:variant:DesiredInstanceCount",
			"SageMakerVariantInvocationsPerInstance", 2},
	} {
		_, err := w.RegisterScalableTarget(
			t.Context(),
			&aas.RegisterScalableTargetInput{ServiceNamespace: types.ServiceNamespace(ns),
				ResourceId: &want.resource, ScalableDimension: types.ScalableDimension(want.dimension),
				MinCapacity: aws.Int32(1), MaxCapacity: aws.Int32(8)},
		)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.PutScalingPolicy(
			t.Context(),
			&aas.PutScalingPolicyInput{PolicyName: aws.String("p"), ServiceNamespace: types.ServiceNamespace(ns),
				ResourceId: &want.resource, ScalableDimension: types.ScalableDimension(want.dimension),
				PolicyType: "TargetTrackingScaling",
				TargetTrackingScalingPolicyConfiguration: &types.TargetTrackingScalingPolicyConfiguration{
					TargetValue: aws.Float64(70),
					PredefinedMetricSpecification: &types.PredefinedMetricSpecification{
						PredefinedMetricType: types.MetricType(want.metric),
					},
				}},
		)
		if err != nil || len(out.Alarms) != want.alarms {
			t.Errorf("%s: %d alarms, want %d; %v", ns, len(out.Alarms), want.alarms, err)
		}
	}
}

func TestTags(t *testing.T) {
	w := setup(t, nil)
	out, err := w.RegisterScalableTarget(
		t.Context(),
		&aas.RegisterScalableTargetInput{ServiceNamespace: "ecs", ResourceId: aws.String(resource),
			ScalableDimension: dimension, MinCapacity: aws.Int32(1), MaxCapacity: aws.Int32(2),
			Tags: map[string]string{"team": "a", "stack": "s"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	arn := out.ScalableTargetARN
	tags := map[string]string{"team": "b", "cost": ""}
	if _, err := w.TagResource(t.Context(), &aas.TagResourceInput{ResourceARN: arn, Tags: tags}); err != nil {
		t.Fatal(err)
	}
	untag := &aas.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"stack"}}
	if _, err := w.UntagResource(t.Context(), untag); err != nil {
		t.Fatal(err)
	}
	got, err := w.ListTagsForResource(t.Context(), &aas.ListTagsForResourceInput{ResourceARN: arn})
	if err != nil || len(got.Tags) != 2 || got.Tags["team"] != "b" {
		t.Errorf("tags are %v, error %v", got, err)
	}
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint("k", i)] = "v"
	}
	_, err = w.TagResource(t.Context(), &aas.TagResourceInput{ResourceARN: arn, Tags: many})
	if code, _ := faultOf(err); code != "TooManyTagsException" {
		t.Errorf("52 tags: %v", err)
	}
	_, err = w.ListTagsForResource(t.Context(), &aas.ListTagsForResourceInput{ResourceARN: aws.String(*arn + "x")})
	if code, _ := faultOf(err); code != "ResourceNotFoundException" {
		t.Errorf("tags of an unknown target: %v", err)
	}
	_, err = w.ListTagsForResource(t.Context(),
		&aas.ListTagsForResourceInput{ResourceARN: aws.String("arn:aws:s3:::bucket")})
	if code, message := faultOf(err); code != "ValidationException" ||
		!strings.Contains(message, "regular expression pattern") {
		t.Errorf("tags of a bucket: %v", err)
	}
}

func TestASecondChangeAtATimeIsToldToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := setup(t, nil)
		w.register(t, 1, 10)
		held := w.server.find(key{"ecs", resource, string(dimension)})
		if err := held.lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer held.unlock()
		_, err := w.PutScalingPolicy(t.Context(), backlogPolicy("p", 1))
		if code, _ := faultOf(err); code != "ConcurrentUpdateException" {
			t.Errorf("while another change takes place: %v", err)
		}
	})
}

func TestPermissionsAreAskedFor(t *testing.T) {
	var asked []string
	w := setup(t, func(c *Config) {
		c.Authorize = func(_ context.Context, action, resource string, _ map[string]string) error {
			asked = append(asked, action+" "+resource)
			if action == "cloudwatch:PutMetricAlarm" {
				return wire.AccessDenied("no")
			}
			return nil
		}
	})
	arn := w.register(t, 1, 10)
	_, err := w.PutScalingPolicy(t.Context(), backlogPolicy("p", 1))
	if code, _ := faultOf(err); code != "AccessDeniedException" {
		t.Errorf("without cloudwatch:PutMetricAlarm: %v", err)
	}
	for _, want := range []string{
		"application-autoscaling:RegisterScalableTarget " + w.server.targetARN("*"),
		"application-autoscaling:PutScalingPolicy " + arn,
		"cloudwatch:PutMetricAlarm " + w.server.alarmARN("TargetTracking-service/jobs/worker-*"),
	} {
		if !strings.Contains(strings.Join(asked, "\n")+"\n", want+"\n") {
			t.Errorf("%q was not asked for; asked were\n%s", want, strings.Join(asked, "\n"))
		}
	}
}
