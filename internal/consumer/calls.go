package consumer

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// entryIDs are the ids of the entries within one call: their positions.
var entryIDs = func() (ids [batchSize]*string) {
	for i := range ids {
		ids[i] = aws.String(strconv.Itoa(i))
	}
	return ids
}()

// sendDeletes makes one call that deletes messages.
func (r *runner) sendDeletes(ctx context.Context, batch []*entry) (map[int]error, error) {
	entries := make([]types.DeleteMessageBatchRequestEntry, len(batch))
	for i, e := range batch {
		entries[i] = types.DeleteMessageBatchRequestEntry{Id: entryIDs[i], ReceiptHandle: e.raw.ReceiptHandle}
	}
	output, err := r.SQS.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &r.QueueURL, Entries: entries})
	if err != nil {
		return nil, err
	}
	return entryErrors(output.Failed), nil
}

// sendChanges makes one call that changes how long messages stay invisible.
func (r *runner) sendChanges(ctx context.Context, batch []*entry) (map[int]error, error) {
	entries := make([]types.ChangeMessageVisibilityBatchRequestEntry, len(batch))
	for i, e := range batch {
		entries[i] = types.ChangeMessageVisibilityBatchRequestEntry{
			Id: entryIDs[i], ReceiptHandle: e.raw.ReceiptHandle, VisibilityTimeout: e.visibility,
		}
	}
	output, err := r.SQS.ChangeMessageVisibilityBatch(ctx,
		&sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &r.QueueURL, Entries: entries})
	if err != nil {
		return nil, err
	}
	return entryErrors(output.Failed), nil
}

// renewLeases makes one call that extends the leases of messages in hand.
func (r *runner) renewLeases(ctx context.Context, batch []*delivery, seconds []int32) (map[int]error, error) {
	entries := make([]*entry, len(batch))
	for i, d := range batch {
		entries[i] = &entry{delivery: d, visibility: seconds[i]}
	}
	failed, err := r.sendChanges(ctx, entries)
	r.renewing.tell(err)
	return failed, err
}

// entryErrors turns the failed entries of an answer into errors by position.
func entryErrors(failed []types.BatchResultErrorEntry) map[int]error {
	if len(failed) == 0 {
		return nil
	}
	errs := make(map[int]error, len(failed))
	for _, f := range failed {
		if i, err := strconv.Atoi(aws.ToString(f.Id)); err == nil {
			errs[i] = &entryError{code: aws.ToString(f.Code), message: aws.ToString(f.Message), sender: f.SenderFault}
		}
	}
	return errs
}

// An entryError says why one entry of a batch failed.
type entryError struct {
	code, message string
	sender        bool // the entry is at fault, not the queue
}

func (e *entryError) Error() string {
	if e.message == "" {
		return e.code
	}
	return e.code + ": " + e.message
}
