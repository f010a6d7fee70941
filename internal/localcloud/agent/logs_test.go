package agent

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

type fakeLogs struct {
	groups, streams, lines []string
	calls                  int
}

func (f *fakeLogs) CreateLogGroup(_ context.Context, in *cloudwatchlogs.CreateLogGroupInput,
	_ ...func(*cloudwatchlogs.Options),
) (*cloudwatchlogs.CreateLogGroupOutput, error) {
	if slices.Contains(f.groups, *in.LogGroupName) {
		return nil, &types.ResourceAlreadyExistsException{}
	}
	f.groups = append(f.groups, *in.LogGroupName)
	return &cloudwatchlogs.CreateLogGroupOutput{}, nil
}

func (f *fakeLogs) CreateLogStream(_ context.Context, in *cloudwatchlogs.CreateLogStreamInput,
	_ ...func(*cloudwatchlogs.Options),
) (*cloudwatchlogs.CreateLogStreamOutput, error) {
	if !slices.Contains(f.groups, *in.LogGroupName) {
		return nil, &types.ResourceNotFoundException{}
	}
	f.streams = append(f.streams, *in.LogStreamName)
	return &cloudwatchlogs.CreateLogStreamOutput{}, nil
}

func (f *fakeLogs) PutLogEvents(_ context.Context, in *cloudwatchlogs.PutLogEventsInput,
	_ ...func(*cloudwatchlogs.Options),
) (*cloudwatchlogs.PutLogEventsOutput, error) {
	f.calls++
	for _, event := range in.LogEvents {
		f.lines = append(f.lines, *event.Message)
	}
	return &cloudwatchlogs.PutLogEventsOutput{}, nil
}

func logged(options map[string]ministack.Text) *task {
	t := &task{view: Task{ID: "id"}, container: ministack.ContainerDefinition{Name: "worker"}}
	t.container.LogDriver.Name, t.container.LogDriver.Options = "awslogs", options
	return t
}

func TestLogStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fakeLogs{groups: []string{"g"}}
		s, err := openStream(t.Context(), api, logged(map[string]ministack.Text{
			"awslogs-group": "g", "awslogs-stream-prefix": "p"}))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"first li", "ne\n\nsecond line\nthe r", "est"} {
			s.add([]byte(part))
		}
		time.Sleep(sendEvery + time.Millisecond)
		synctest.Wait()
		if got := strings.Join(api.lines, "|"); got != "first line|second line" {
			t.Errorf("after a second the stream has %q", got)
		}
		s.close()
		if got := strings.Join(api.lines, "|"); got != "first line|second line|the rest" || api.calls != 2 {
			t.Errorf("at the end the stream has %q from %d calls", got, api.calls)
		}
		if api.streams[0] != "p/worker/id" {
			t.Errorf("stream %s", api.streams[0])
		}
	})
}

func TestLogGroup(t *testing.T) {
	_, err := openStream(t.Context(), &fakeLogs{}, logged(map[string]ministack.Text{"awslogs-group": "g"}))
	if err == nil {
		t.Error("a group that does not exist was taken")
	}
	_, err = openStream(t.Context(), &fakeLogs{}, logged(nil))
	if err == nil || !strings.Contains(err.Error(), "awslogs-group") {
		t.Errorf("without a group: %v", err)
	}
	api := &fakeLogs{groups: []string{"g"}}
	s, err := openStream(t.Context(), api, logged(map[string]ministack.Text{
		"awslogs-group": "g", "awslogs-create-group": "true"}))
	if err != nil {
		t.Fatal(err)
	}
	s.close()
}
