package consumer

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
)

// hangingCloudWatch answers nothing.
type hangingCloudWatch struct{ *fakeCloudWatch }

func (hangingCloudWatch) PutMetricData(
	ctx context.Context, _ *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.PutMetricDataOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
