package autoscaling

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/tracking"
)

// maxActivities is how many activities are kept; AWS keeps six weeks.
const maxActivities = 5000

// activity is a scaling activity of a target, which may be gone by now.
type activity struct {
	key
	tracking.Activity
}

// remember keeps an activity, in the place of its earlier form.
func (s *Server) remember(ctx context.Context, t *target, a tracking.Activity) {
	s.mu.Lock()
	i := slices.IndexFunc(s.activities, func(o activity) bool { return o.ID == a.ID })
	if i >= 0 {
		s.activities[i].Activity = a
	} else {
		s.activities = append(s.activities, activity{t.key, a})
		if n := len(s.activities) - maxActivities; n > 0 {
			s.activities = slices.Delete(s.activities, 0, n)
		}
	}
	s.mu.Unlock()
	if s.Event != nil && a.NotScaled == nil && a.To == t.bounds.Max && a.Status == tracking.Successful {
		s.tellAtMaximum(ctx, t, a)
	}
}

// tellAtMaximum sends the one event that Application Auto Scaling has.
func (s *Server) tellAtMaximum(ctx context.Context, t *target, a tracking.Activity) {
	err := s.Event(ctx, "Application Auto Scaling Scaling Activity State Change", []string{t.arn}, map[string]any{
		"startTime": a.Start.UTC().Format(time.RFC3339), "endTime": a.End.UTC().Format(time.RFC3339),
		"newDesiredCapacity": a.To, "oldDesiredCapacity": a.From,
		"minCapacity": t.bounds.Min, "maxCapacity": t.bounds.Max,
		"resourceId": t.resource, "scalableDimension": t.dimension, "serviceNamespace": t.namespace,
		"statusCode": a.Status, "scaledToMax": true, "direction": direction(a),
	})
	if err != nil {
		s.Log.Warn("event of an activity was not sent", "target", t.resource, "error", err)
	}
}

func direction(a tracking.Activity) string {
	if a.To < a.From {
		return "scale-in"
	}
	return "scale-out"
}

func (s *Server) describeScalingActivities(
	ctx context.Context,
	in *aas.DescribeScalingActivitiesInput,
) (*aas.DescribeScalingActivitiesOutput, error) {
	k, err := s.filter(ctx, "DescribeScalingActivities",
		members{in.ServiceNamespace, in.ResourceId, in.ScalableDimension}, "", nil)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []types.ScalingActivity{}
	for _, a := range slices.Backward(s.activities) {
		if k.selects(a.key) && (a.NotScaled == nil || aws.ToBool(in.IncludeNotScaledActivities)) {
			found = append(found, a.shown())
		}
	}
	page, next, err := page(found, in.MaxResults, in.NextToken, 50)
	return &aas.DescribeScalingActivitiesOutput{ScalingActivities: page, NextToken: next}, err
}

func (a activity) shown() types.ScalingActivity {
	out := types.ScalingActivity{
		ActivityId: aws.String(a.ID), ServiceNamespace: types.ServiceNamespace(a.namespace),
		ResourceId: aws.String(a.resource), ScalableDimension: types.ScalableDimension(a.dimension),
		Cause: aws.String(a.Cause), Description: aws.String(a.Description), StartTime: aws.Time(a.Start),
		StatusCode: types.ScalingActivityStatusCode(a.Status),
	}
	if a.StatusMessage != "" {
		out.StatusMessage = aws.String(a.StatusMessage)
	}
	if !a.End.IsZero() {
		out.EndTime = aws.Time(a.End)
	}
	for _, r := range a.NotScaled {
		out.NotScaledReasons = append(out.NotScaledReasons, types.NotScaledReason{
			Code: aws.String(string(r.Code)), MaxCapacity: capacityOf(r.MaxCapacity),
			MinCapacity:     capacityOf(r.MinCapacity),
			CurrentCapacity: capacityOf(r.CurrentCapacity),
		})
	}
	return out
}

func capacityOf(n *int) *int32 {
	if n == nil {
		return nil
	}
	return aws.Int32(int32(*n))
}
