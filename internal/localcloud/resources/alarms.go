package resources

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

func addAlarms(kinds map[string]kind, config aws.Config) {
	a := alarms{cloudwatch.NewFromConfig(config)}
	kinds["AWS::CloudWatch::Alarm"] = kind{fixed: []string{"AlarmName"}, put: a.putMetric, remove: a.remove}
	kinds["AWS::CloudWatch::CompositeAlarm"] = kind{fixed: []string{"AlarmName"}, put: a.putComposite, remove: a.remove}
	kinds["AWS::CloudWatch::Dashboard"] = kind{
		fixed: []string{"DashboardName"}, put: a.putDashboard, remove: a.removeDashboard,
	}
}

type alarms struct {
	api *cloudwatch.Client
}

func (a alarms) putMetric(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	var in cloudwatch.PutMetricAlarmInput
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	in.AlarmName = nameOf(r, in.AlarmName)
	_, err := a.api.PutMetricAlarm(ctx, &in)
	return alarmResult(r, *in.AlarmName), err
}

func (a alarms) putComposite(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	var in cloudwatch.PutCompositeAlarmInput
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	in.AlarmName = nameOf(r, in.AlarmName)
	_, err := a.api.PutCompositeAlarm(ctx, &in)
	return alarmResult(r, *in.AlarmName), err
}

// nameOf is the name of a resource: the one it has, the one it is given, or a generated one.
func nameOf(r ministack.ResourceRequest, given *string) *string {
	if r.PhysicalID != "" {
		return &r.PhysicalID
	}
	if given != nil {
		return given
	}
	return aws.String(generatedName(r))
}

func alarmResult(r ministack.ResourceRequest, name string) ministack.ResourceResult {
	arn := fmt.Sprintf("arn:aws:cloudwatch:%s:%s:alarm:%s", r.Region, r.Account, name)
	return ministack.ResourceResult{PhysicalID: name, Attributes: map[string]any{"Arn": arn}}
}

func (a alarms) remove(ctx context.Context, r ministack.ResourceRequest) error {
	_, err := a.api.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{r.PhysicalID}})
	var missing *types.ResourceNotFound
	if errors.As(err, &missing) {
		return nil
	}
	return err
}

func (a alarms) putDashboard(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	var in cloudwatch.PutDashboardInput
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	in.DashboardName = nameOf(r, in.DashboardName)
	_, err := a.api.PutDashboard(ctx, &in)
	return ministack.ResourceResult{PhysicalID: *in.DashboardName}, err
}

func (a alarms) removeDashboard(ctx context.Context, r ministack.ResourceRequest) error {
	_, err := a.api.DeleteDashboards(ctx, &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{r.PhysicalID}})
	var missing *types.DashboardNotFoundError
	if errors.As(err, &missing) {
		return nil
	}
	return err
}
