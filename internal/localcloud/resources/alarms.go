package resources

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

func addAlarms(kinds map[string]kind, config aws.Config) {
	a := alarms{cloudwatch.NewFromConfig(config)}
	kinds["AWS::CloudWatch::Alarm"] = kind{fixed: []string{"AlarmName"}, put: a.put, remove: a.remove}
}

type alarms struct {
	api *cloudwatch.Client
}

func (a alarms) put(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	var in cloudwatch.PutMetricAlarmInput
	if err := assign(&in, r); err != nil {
		return ministack.ResourceResult{}, err
	}
	switch {
	case r.PhysicalID != "":
		in.AlarmName = &r.PhysicalID
	case in.AlarmName == nil:
		in.AlarmName = aws.String(generatedName(r))
	}
	if _, err := a.api.PutMetricAlarm(ctx, &in); err != nil {
		return ministack.ResourceResult{}, err
	}
	arn := fmt.Sprintf("arn:aws:cloudwatch:%s:%s:alarm:%s", r.Region, r.Account, *in.AlarmName)
	return ministack.ResourceResult{PhysicalID: *in.AlarmName, Attributes: map[string]any{"Arn": arn}}, nil
}

func (a alarms) remove(ctx context.Context, r ministack.ResourceRequest) error {
	// Unknown names are no error.
	_, err := a.api.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{r.PhysicalID}})
	return err
}
