package monitoring

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// maxHistory is how many history items are kept.
const maxHistory = 2000

type historyItem = types.AlarmHistoryItem

// record keeps what happened to an alarm. Needs s.mu.
func (s *Server) record(a *alarm, kind types.HistoryItemType, summary, data string) {
	s.past = append(s.past, historyItem{
		AlarmName: a.AlarmName, AlarmType: a.kind(), HistoryItemType: kind,
		HistorySummary: aws.String(summary), HistoryData: aws.String(data), Timestamp: aws.Time(time.Now()),
	})
	if len(s.past) > maxHistory {
		s.past = slices.Delete(s.past, 0, len(s.past)-maxHistory)
	}
}

// stateChange is the HistoryData of a state update.
func stateChange(before, after types.MetricAlarm) string {
	state := func(a types.MetricAlarm) map[string]any {
		m := map[string]any{"stateValue": a.StateValue, "stateReason": aws.ToString(a.StateReason)}
		if a.StateReasonData != nil {
			m["stateReasonData"] = json.RawMessage(*a.StateReasonData)
		}
		return m
	}
	text, err := json.Marshal(map[string]any{"version": "1.0", "oldState": state(before), "newState": state(after)})
	if err != nil {
		return "{}" // reason data given by SetAlarmState is checked to be JSON, so this does not happen
	}
	return string(text)
}

func (s *Server) describeAlarmHistory(
	ctx context.Context,
	in *cloudwatch.DescribeAlarmHistoryInput,
) (*cloudwatch.DescribeAlarmHistoryOutput, error) {
	arn := s.alarmARN(cmp.Or(aws.ToString(in.AlarmName), "*"))
	if err := s.authorize(ctx, "DescribeAlarmHistory", arn, nil); err != nil {
		return nil, err
	}
	skip, err := offsetOf(in.NextToken)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []historyItem{}
	for _, h := range s.past {
		if (in.AlarmName == nil || *in.AlarmName == *h.AlarmName) &&
			(in.HistoryItemType == "" || in.HistoryItemType == h.HistoryItemType) &&
			(in.StartDate == nil || !h.Timestamp.Before(*in.StartDate)) &&
			(in.EndDate == nil || !h.Timestamp.After(*in.EndDate)) {
			found = append(found, h)
		}
	}
	if in.ScanBy != types.ScanByTimestampAscending {
		slices.Reverse(found)
	}
	end := min(skip+int(cmp.Or(aws.ToInt32(in.MaxRecords), 100)), len(found))
	out := &cloudwatch.DescribeAlarmHistoryOutput{AlarmHistoryItems: found[min(skip, end):end]}
	if end < len(found) {
		out.NextToken = aws.String(tokenOf(end))
	}
	return out, nil
}
