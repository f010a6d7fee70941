// Command send is the step of the produce machine that sends one range of messages into the queue.
package main

import (
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/produce"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[produce.SendRequest, produce.RangeResult] {
	sender := &produce.Sender{
		Client:   sqs.NewFromConfig(s.AWS()),
		QueueURL: s.Env.Text("QUEUE_URL"),
		FIFO:     s.Env.OneOf("QUEUE_TYPE", "standard", "fifo") == "fifo",
	}
	return sender.SendRange
}
