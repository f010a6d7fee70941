package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/sqs"
)

func addQueue(s *stack) {
	s.condition("MakeQueue", blank("QueueArn"))
	s.condition("MakeDeadLetterQueue", cfn.And([]string{holds("MakeQueue"), blank("DeadLetterQueueArn")}))
	s.condition("HasDeadLetterQueue", cfn.Or([]string{holds("MakeDeadLetterQueue"), given("DeadLetterQueueArn")}))
	s.condition("IsFifo", cfn.Equals(cfn.Ref("QueueType"), "fifo"))

	s.heading("The queue, and the one for messages that cannot be processed. Without names of their own: a change\n" +
		"of type replaces them (what was in the old ones stays there), and two stacks never meet.")
	s.resource("DeadLetterQueue", with(&sqs.Queue{
		MessageRetentionPeriod:     new(14 * 24 * 3600),
		SqsManagedSseEnabled:       new(true),
		AWSCloudFormationCondition: "MakeDeadLetterQueue",

		AWSCloudFormationDeletionPolicy: "Delete", AWSCloudFormationUpdateReplacePolicy: "Retain",
	}, properties{
		"FifoQueue": onlyIf("IsFifo", true),
	}))
	s.resource("DeadLetterQueuePolicy", queuePolicy("DeadLetterQueue", "MakeDeadLetterQueue"))
	s.resource("Queue", with(&sqs.Queue{
		MessageRetentionPeriod:     new(4 * 24 * 3600),
		SqsManagedSseEnabled:       new(true),
		AWSCloudFormationCondition: "MakeQueue",

		AWSCloudFormationDeletionPolicy: "Delete", AWSCloudFormationUpdateReplacePolicy: "Retain",
	}, properties{
		"VisibilityTimeout": cfn.Ref("VisibilityTimeoutSeconds"),
		"RedrivePolicy": map[string]any{
			"deadLetterTargetArn": deadLetterQueueARN(),
			"maxReceiveCount":     cfn.Ref("MaxReceiveCount"),
		},
		// A queue may be FIFO or not be told: false is refused.
		"FifoQueue":                 onlyIf("IsFifo", true),
		"ContentBasedDeduplication": onlyIf("IsFifo", true),
		// Every message is a group of its own, so groups are what throughput is counted by.
		"DeduplicationScope":  onlyIf("IsFifo", "messageGroup"),
		"FifoThroughputLimit": onlyIf("IsFifo", "perMessageGroupId"),
	}))
	s.resource("QueuePolicy", queuePolicy("Queue", "MakeQueue"))
}

func queuePolicy(queue, condition string) *sqs.QueuePolicy {
	return &sqs.QueuePolicy{
		Queues:                     []string{cfn.Ref(queue)},
		PolicyDocument:             policyOf(tlsOnly(cfn.GetAtt(queue, "Arn"), "sqs:*")),
		AWSCloudFormationCondition: condition,
	}
}

// Of an existing queue only the ARN is given: arn:partition:sqs:region:account:name.

func queueARN() string {
	return either("MakeQueue", cfn.GetAtt("Queue", "Arn"), cfn.Ref("QueueArn"))
}

func queueName() string {
	return either("MakeQueue", cfn.GetAtt("Queue", "QueueName"), arnPart("QueueArn", 5))
}

func queueURL() string {
	return either("MakeQueue", cfn.Ref("Queue"), urlOf("QueueArn"))
}

// queueType is what the name of the queue says: a queue's name holds a dot only
// in the ending .fifo.
func queueType() string {
	typed := subWith("${QueueName}.standard", map[string]any{"QueueName": queueName()})
	return cfn.Select(1, cfn.Split(".", typed))
}

// deadLetterQueueARN is the dead-letter queue's, given that there is one.
func deadLetterQueueARN() string {
	return either("MakeDeadLetterQueue", cfn.GetAtt("DeadLetterQueue", "Arn"), cfn.Ref("DeadLetterQueueArn"))
}

// deadLetterQueueName is the dead-letter queue's, given that there is one.
func deadLetterQueueName() string {
	return either("MakeDeadLetterQueue", cfn.GetAtt("DeadLetterQueue", "QueueName"), arnPart("DeadLetterQueueArn", 5))
}

// deadLetterQueueURL is blank when there is none.
func deadLetterQueueURL() string {
	return either("MakeDeadLetterQueue", cfn.Ref("DeadLetterQueue"),
		either("HasDeadLetterQueue", urlOf("DeadLetterQueueArn"), ""))
}

func arnPart(parameter string, index int) string {
	return cfn.Select(index, cfn.Split(":", cfn.Ref(parameter)))
}

func urlOf(parameter string) string {
	return subWith("https://sqs.${Region}.${AWS::URLSuffix}/${Account}/${Name}", map[string]any{
		"Region": arnPart(parameter, 3), "Account": arnPart(parameter, 4), "Name": arnPart(parameter, 5),
	})
}
