package verify

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

type queueClient interface {
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (
		*sqs.GetQueueAttributesOutput, error)
}

// depth returns how many messages of a queue can be taken and how many are in hand, approximately. A queue without a
// URL is empty.
func depth(ctx context.Context, client queueClient, url string) (visible, inFlight int, err error) {
	if url == "" {
		return 0, 0, nil
	}
	names := []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	}
	found, err := client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: names})
	if err != nil {
		return 0, 0, fmt.Errorf("read the depth of %s: %w", url, err)
	}
	var counts [2]int
	for i, name := range names {
		if counts[i], err = strconv.Atoi(found.Attributes[string(name)]); err != nil {
			return 0, 0, fmt.Errorf("read the depth of %s: %s is %q", url, name, found.Attributes[string(name)])
		}
	}
	return counts[0], counts[1], nil
}
