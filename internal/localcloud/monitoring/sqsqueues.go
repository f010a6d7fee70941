package monitoring

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// sqsAPI is what is called of SQS.
type sqsAPI interface {
	ListQueues(context.Context, *sqs.ListQueuesInput, ...func(*sqs.Options)) (*sqs.ListQueuesOutput, error)
	GetQueueAttributes(
		context.Context,
		*sqs.GetQueueAttributesInput,
		...func(*sqs.Options),
	) (*sqs.GetQueueAttributesOutput, error)
}

// SQSQueues samples all queues through the SQS API.
type SQSQueues struct{ api sqsAPI }

// NewSQSQueues returns Queues over an SQS client.
func NewSQSQueues(api sqsAPI) *SQSQueues { return &SQSQueues{api} }

// Sample implements [Queues]. A queue that is deleted meanwhile is left out.
func (q *SQSQueues) Sample(ctx context.Context) ([]QueueCounts, error) {
	var out []QueueCounts
	pages := sqs.NewListQueuesPaginator(q.api, &sqs.ListQueuesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing queues: %w", err)
		}
		for _, url := range page.QueueUrls {
			counts, err := q.counts(ctx, url)
			if err != nil {
				continue
			}
			out = append(out, counts)
		}
	}
	return out, ctx.Err()
}

func (q *SQSQueues) counts(ctx context.Context, url string) (QueueCounts, error) {
	c := QueueCounts{Name: url[strings.LastIndexByte(url, '/')+1:]}
	got, err := q.api.GetQueueAttributes(
		ctx,
		&sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{
			types.QueueAttributeNameApproximateNumberOfMessages,
			types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
			types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		}},
	)
	if err != nil {
		return c, err
	}
	for name, to := range map[types.QueueAttributeName]*int{
		types.QueueAttributeNameApproximateNumberOfMessages:           &c.Visible,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: &c.NotVisible,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    &c.Delayed,
	} {
		n, err := strconv.Atoi(got.Attributes[string(name)])
		if err != nil {
			return c, fmt.Errorf("queue %s: attribute %s is %q, not a number", c.Name, name,
				got.Attributes[string(name)])
		}
		*to = n
	}
	return c, nil
}
