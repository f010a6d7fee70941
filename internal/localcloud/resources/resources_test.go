package resources

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"sqs-dynamic-target-tracking/internal/localcloud/autoscaling"
	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/monitoring"
)

// setup returns a maker whose calls reach the real services of the local engine, and a fake EC2 and ECS that record.
func setup(t *testing.T) (*Maker, aws.Config, *fakeAWS) {
	t.Helper()
	scaling, monitor := autoscaling.New(autoscaling.Config{}), monitoring.New(monitoring.Config{})
	fake := &fakeAWS{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AnyScaleFrontendService."):
			scaling.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, "/service/GraniteServiceVersion20100801/"):
			monitor.ServeHTTP(w, r)
		default:
			fake.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	config := aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	return New(config), config, fake
}

// fakeAWS answers EC2's query calls and ECS's JSON calls.
type fakeAWS struct {
	calls   []string
	answers map[string]string // of ECS, by action
	fail    string            // code that EC2 answers with
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		f.calls = append(f.calls, target+" "+string(body))
		answer := cmp.Or(f.answers[target[strings.LastIndexByte(target, '.')+1:]], `{}`)
		_, _ = io.WriteString(w, answer)
		return
	}
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action")
	form.Del("Action")
	form.Del("Version")
	f.calls = append(f.calls, action+" "+form.Encode())
	if f.fail != "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `<R><Errors><Error><Code>%s</Code><Message>m</Message></Error></Errors></R>`, f.fail)
		return
	}
	_, _ = io.WriteString(w, map[string]string{
		"AllocateAddress": `<R><publicIp>52.0.0.1</publicIp><allocationId>eipalloc-1</allocationId></R>`,
		"DescribeAddresses": `<R><addressesSet><item><publicIp>52.0.0.1</publicIp>` +
			`<allocationId>eipalloc-1</allocationId></item></addressesSet></R>`,
		"CreateNatGateway": `<R><natGateway><natGatewayId>nat-1</natGatewayId></natGateway></R>`,
		"CreateFlowLogs":   `<R><flowLogIdSet><item>fl-1</item></flowLogIdSet></R>`,
		"AuthorizeSecurityGroupIngress": `<R><securityGroupRuleSet><item><securityGroupRuleId>sgr-1` +
			`</securityGroupRuleId></item></securityGroupRuleSet></R>`,
	}[action])
}

func step(t *testing.T, m *Maker, r ministack.ResourceRequest) ministack.ResourceResult {
	t.Helper()
	r.Account, r.Region, r.StackName, r.LogicalID = "000000000000", "us-east-1", "demo", "It"
	result, err := m.Resource(t.Context(), r)
	if err != nil {
		t.Fatalf("%s of %s: %v", r.Step, r.Type, err)
	}
	return result
}

type properties = map[string]any

// with is a copy of properties with some changed.
func with(p properties, changes properties) properties {
	changed := properties{}
	for _, from := range []properties{p, changes} {
		for name, value := range from {
			changed[name] = value
		}
	}
	return changed
}

var targetProperties = properties{"ServiceNamespace": "ecs", "ResourceId": "service/c/s",
	"ScalableDimension": "ecs:service:DesiredCount", "MinCapacity": "1", "MaxCapacity": float64(5)}

func makeTarget(t *testing.T, m *Maker) string {
	t.Helper()
	return step(t, m, ministack.ResourceRequest{Step: "create", Type: "AWS::ApplicationAutoScaling::ScalableTarget",
		Properties: targetProperties}).PhysicalID
}

func TestScalableTarget(t *testing.T) {
	m, config, _ := setup(t)
	const kind = "AWS::ApplicationAutoScaling::ScalableTarget"
	id := makeTarget(t, m)
	if id != "service/c/s|ecs:service:DesiredCount|ecs" {
		t.Errorf("physical id %s", id)
	}
	api := applicationautoscaling.NewFromConfig(config)
	capacities := func() (list []string) {
		t.Helper()
		out, err := api.DescribeScalableTargets(t.Context(), &applicationautoscaling.DescribeScalableTargetsInput{
			ServiceNamespace: types.ServiceNamespaceEcs})
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range out.ScalableTargets {
			list = append(list, fmt.Sprint(*target.ResourceId, " ", *target.MinCapacity, "-", *target.MaxCapacity))
		}
		return list
	}
	changed := with(targetProperties, properties{"MaxCapacity": "9"})
	same := step(t, m, ministack.ResourceRequest{Step: "update", Type: kind, PhysicalID: id,
		Properties: changed, OldProperties: targetProperties})
	if same.PhysicalID != id || !slices.Equal(capacities(), []string{"service/c/s 1-9"}) {
		t.Errorf("after an update: %s, %v", same.PhysicalID, capacities())
	}
	moved := with(changed, properties{"ResourceId": "service/c/other"})
	other := step(t, m, ministack.ResourceRequest{Step: "update", Type: kind, PhysicalID: id,
		Properties: moved, OldProperties: changed})
	if other.PhysicalID == id || len(capacities()) != 2 {
		t.Errorf("another service is not another target: %s, %v", other.PhysicalID, capacities())
	}
	for range 2 { // the second time it is gone, which is no error
		step(t, m, ministack.ResourceRequest{Step: "delete", Type: kind, PhysicalID: id, Properties: changed})
	}
	if !slices.Equal(capacities(), []string{"service/c/other 1-9"}) {
		t.Errorf("after the delete: %v", capacities())
	}
}

func TestScalingPolicy(t *testing.T) {
	m, config, _ := setup(t)
	const kind = "AWS::ApplicationAutoScaling::ScalingPolicy"
	target := makeTarget(t, m)
	policy := properties{"PolicyName": "demo-backlog", "PolicyType": "TargetTrackingScaling", "ScalingTargetId": target,
		"TargetTrackingScalingPolicyConfiguration": properties{"TargetValue": "13", "ScaleOutCooldown": "300",
			"CustomizedMetricSpecification": properties{"Metrics": []any{
				properties{"Id": "visible", "ReturnData": "false", "MetricStat": properties{"Stat": "Sum",
					"Metric": properties{"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible",
						"Dimensions": []any{properties{"Name": "QueueName", "Value": "q"}}}}},
				properties{"Id": "e1", "Expression": "visible / 2", "ReturnData": true},
			}}}}
	made := step(t, m, ministack.ResourceRequest{Step: "create", Type: kind, Properties: policy})
	api := applicationautoscaling.NewFromConfig(config)
	describe := func() []types.ScalingPolicy {
		t.Helper()
		out, err := api.DescribeScalingPolicies(t.Context(), &applicationautoscaling.DescribeScalingPoliciesInput{
			ServiceNamespace: types.ServiceNamespaceEcs})
		if err != nil {
			t.Fatal(err)
		}
		return out.ScalingPolicies
	}
	got := describe()
	if len(got) != 1 || *got[0].PolicyARN != made.PhysicalID || made.Attributes["Arn"] != made.PhysicalID {
		t.Fatalf("made %+v, there is %+v", made, got)
	}
	c := got[0].TargetTrackingScalingPolicyConfiguration
	if *c.TargetValue != 13 || *c.ScaleOutCooldown != 300 || len(c.CustomizedMetricSpecification.Metrics) != 2 ||
		*c.CustomizedMetricSpecification.Metrics[0].ReturnData {
		t.Errorf("configuration %+v", c)
	}
	// Another metric as well: AWS allows one policy for a metric, and the old one is deleted last.
	renamed := with(policy, properties{"PolicyName": "demo-other",
		"TargetTrackingScalingPolicyConfiguration": properties{"TargetValue": "50",
			"PredefinedMetricSpecification": properties{"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}})
	other := step(t, m, ministack.ResourceRequest{Step: "update", Type: kind, PhysicalID: made.PhysicalID,
		Properties: renamed, OldProperties: policy})
	step(t, m, ministack.ResourceRequest{Step: "delete", Type: kind, PhysicalID: made.PhysicalID, Properties: policy})
	step(t, m, ministack.ResourceRequest{Step: "delete", Type: kind, PhysicalID: made.PhysicalID, Properties: policy})
	if got := describe(); len(got) != 1 || *got[0].PolicyARN != other.PhysicalID {
		t.Errorf("after the replacement there is %+v", got)
	}
}

func TestBadPropertiesAreRefused(t *testing.T) {
	m, _, _ := setup(t)
	for name, changes := range map[string]properties{
		"ScheduledActions": {"ScheduledActions": []any{}},
		"MaxCapacity":      {"MaxCapacity": "many"},
		"AWS's own check":  {"MaxCapacity": "0", "MinCapacity": "3"},
	} {
		_, err := m.Resource(t.Context(), ministack.ResourceRequest{Step: "create", LogicalID: "Target",
			Type: "AWS::ApplicationAutoScaling::ScalableTarget", Properties: with(targetProperties, changes)})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := m.Resource(t.Context(), ministack.ResourceRequest{Step: "create", Type: "AWS::X::Y"}); err == nil {
		t.Error("an unknown type was made")
	}
}

func TestAlarm(t *testing.T) {
	m, config, _ := setup(t)
	const kind = "AWS::CloudWatch::Alarm"
	alarm := properties{"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": "1", "Threshold": "0",
		"TreatMissingData": "notBreaching", "Metrics": []any{
			properties{"Id": "m1", "ReturnData": false, "MetricStat": properties{"Period": "60", "Stat": "Maximum",
				"Metric": properties{"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible"}}},
			properties{"Id": "e1", "Expression": "m1 * 2", "ReturnData": true}}}
	made := step(t, m, ministack.ResourceRequest{Step: "create", Type: kind, Properties: alarm})
	if !strings.HasPrefix(made.PhysicalID, "demo-It-") {
		t.Errorf("generated name %s", made.PhysicalID)
	}
	changed := with(alarm, properties{"Threshold": "5"})
	same := step(t, m, ministack.ResourceRequest{Step: "update", Type: kind, PhysicalID: made.PhysicalID,
		Properties: changed, OldProperties: alarm})
	api := cloudwatch.NewFromConfig(config)
	out, err := api.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.MetricAlarms) != 1 || *out.MetricAlarms[0].Threshold != 5 || same.PhysicalID != made.PhysicalID ||
		*out.MetricAlarms[0].AlarmArn != made.Attributes["Arn"] {
		t.Errorf("after an update: %+v, %+v", same, out.MetricAlarms)
	}
	for range 2 {
		step(t, m, ministack.ResourceRequest{Step: "delete", Type: kind, PhysicalID: made.PhysicalID})
	}
	out, err = api.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	if err != nil || len(out.MetricAlarms) != 0 {
		t.Errorf("after the delete: %+v, %v", out.MetricAlarms, err)
	}
}

func TestDashboardAndCompositeAlarm(t *testing.T) {
	m, config, _ := setup(t)
	api := cloudwatch.NewFromConfig(config)
	dashboard := ministack.ResourceRequest{Step: "create", Type: "AWS::CloudWatch::Dashboard",
		Properties: properties{"DashboardName": "board", "DashboardBody": `{"widgets":[]}`}}
	dashboard.PhysicalID = step(t, m, dashboard).PhysicalID
	found, err := api.GetDashboard(t.Context(), &cloudwatch.GetDashboardInput{DashboardName: aws.String("board")})
	if err != nil || !strings.Contains(*found.DashboardBody, "widgets") {
		t.Errorf("dashboard %+v, %v", found, err)
	}
	composite := ministack.ResourceRequest{Step: "create", Type: "AWS::CloudWatch::CompositeAlarm",
		Properties: properties{"AlarmRule": "FALSE"}}
	composite.PhysicalID = step(t, m, composite).PhysicalID
	if !strings.HasPrefix(composite.PhysicalID, "demo-It-") {
		t.Errorf("composite alarm %s", composite.PhysicalID)
	}
	for _, r := range []ministack.ResourceRequest{dashboard, composite} {
		r.Step = "delete"
		step(t, m, r)
		step(t, m, r) // gone: no error
	}
}

func TestNetwork(t *testing.T) {
	tests := []struct {
		kind       string
		properties properties
		id         string
		attributes properties
		calls      []string // of create and delete
	}{
		{"AWS::EC2::EIP", properties{"Domain": "vpc"}, "52.0.0.1", properties{"AllocationId": "eipalloc-1"},
			[]string{"AllocateAddress Domain=vpc", "DescribeAddresses ", "ReleaseAddress AllocationId=eipalloc-1"}},
		{"AWS::EC2::NatGateway", properties{"SubnetId": "s", "AllocationId": "a"}, "nat-1",
			properties{"NatGatewayId": "nat-1"},
			[]string{"CreateNatGateway AllocationId=a&SubnetId=s", "DeleteNatGateway NatGatewayId=nat-1"}},
		{"AWS::EC2::FlowLog", properties{"ResourceId": "vpc-1", "ResourceType": "VPC", "TrafficType": "REJECT"}, "fl-1",
			properties{"Id": "fl-1"}, []string{"CreateFlowLogs ResourceId.1=vpc-1&ResourceType=VPC&TrafficType=REJECT",
				"DeleteFlowLogs FlowLogId.1=fl-1"}},
		{"AWS::EC2::SecurityGroupIngress", properties{"GroupId": "sg", "IpProtocol": "tcp", "FromPort": float64(443),
			"ToPort": "443", "CidrIp": "10.0.0.0/16"}, "sgr-1", properties{"Id": "sgr-1"},
			[]string{"AuthorizeSecurityGroupIngress GroupId=sg&IpPermissions.1.FromPort=443&" +
				"IpPermissions.1.IpProtocol=tcp&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F16&" +
				"IpPermissions.1.ToPort=443",
				"RevokeSecurityGroupIngress GroupId=sg&SecurityGroupRuleId.1=sgr-1"}},
	}
	for _, test := range tests {
		t.Run(test.kind, func(t *testing.T) {
			m, _, fake := setup(t)
			made := step(t, m, ministack.ResourceRequest{Step: "create", Type: test.kind, Properties: test.properties})
			if made.PhysicalID != test.id {
				t.Errorf("physical id %s, want %s", made.PhysicalID, test.id)
			}
			for name, want := range test.attributes {
				if made.Attributes[name] != want {
					t.Errorf("attribute %s is %v, want %v", name, made.Attributes[name], want)
				}
			}
			request := ministack.ResourceRequest{Step: "delete", Type: test.kind, PhysicalID: made.PhysicalID,
				Properties: test.properties}
			step(t, m, request)
			if !slices.Equal(fake.calls, test.calls) {
				t.Errorf("calls %q, want %q", fake.calls, test.calls)
			}
			fake.fail = "Something.NotFound"
			step(t, m, request) // gone: no error
			fake.fail = "UnauthorizedOperation"
			if _, err := m.Resource(t.Context(), request); err == nil {
				t.Error("a refusal was taken for success")
			}
		})
	}
}

func TestCapacityProviders(t *testing.T) {
	m, _, fake := setup(t)
	const kind = "AWS::ECS::ClusterCapacityProviderAssociations"
	made := step(t, m, ministack.ResourceRequest{Step: "create", Type: kind, Properties: properties{"Cluster": "c",
		"CapacityProviders": []any{"FARGATE", "FARGATE_SPOT"},
		"DefaultCapacityProviderStrategy": []any{
			properties{"CapacityProvider": "FARGATE_SPOT", "Weight": "3"}}}})
	step(t, m, ministack.ResourceRequest{Step: "delete", Type: kind, PhysicalID: made.PhysicalID})
	if made.PhysicalID != "c" || len(fake.calls) != 2 {
		t.Fatalf("made %+v with %q", made, fake.calls)
	}
	for _, want := range []string{`"capacityProviders":["FARGATE","FARGATE_SPOT"]`, `"weight":3`, `"cluster":"c"`} {
		if !strings.Contains(fake.calls[0], want) {
			t.Errorf("%s lacks %s", fake.calls[0], want)
		}
	}
	if !strings.Contains(fake.calls[1], `"capacityProviders":[]`) {
		t.Errorf("the delete is %s", fake.calls[1])
	}
}
