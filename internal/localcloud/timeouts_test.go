//go:build local

package localcloud_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"sqs-dynamic-target-tracking/internal/localcloud"
)

// TestLocalComputedTimeouts waits for a token that nobody sends, for as long as the input says.
func TestLocalComputedTimeouts(t *testing.T) {
	cloud := start(t, localcloud.Config{})
	queue, err := sqs.NewFromConfig(cloud.AWSConfig()).CreateQueue(t.Context(),
		&sqs.CreateQueueInput{QueueName: aws.String("q")})
	if err != nil {
		t.Fatal(err)
	}
	api := sfn.NewFromConfig(cloud.AWSConfig())
	role := makeRole(t, cloud, "machine", `"sqs:SendMessage"`)
	for name, definition := range map[string]string{
		"JSONPath": `{"StartAt":"Wait","States":{"Wait":{"Type":"Task","End":true,"TimeoutSecondsPath":"$.limit",
			"Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
			"Parameters":{"QueueUrl.$":"$.queue","MessageBody.$":"$$.Task.Token"}}}}`,
		"JSONata": `{"QueryLanguage":"JSONata","StartAt":"Wait","States":{"Wait":{"Type":"Task","End":true,
			"TimeoutSeconds":"{% $states.input.limit %}",
			"Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
			"Arguments":{"QueueUrl":"{% $states.input.queue %}","MessageBody":"{% $states.context.Task.Token %}"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			machine, err := api.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: &name,
				Definition: &definition, RoleArn: &role})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			execution, err := api.StartExecution(t.Context(), &sfn.StartExecutionInput{
				StateMachineArn: machine.StateMachineArn,
				Input:           aws.String(`{"limit":1,"queue":"` + *queue.QueueUrl + `"}`)})
			if err != nil {
				t.Fatal(err)
			}
			var out *sfn.DescribeExecutionOutput
			eventually(t, "the execution ends", func() bool {
				out, err = api.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{
					ExecutionArn: execution.ExecutionArn})
				if err != nil {
					t.Fatal(err)
				}
				return out.Status != types.ExecutionStatusRunning
			})
			if aws.ToString(out.Error) != "States.Timeout" || time.Since(began) < time.Second {
				t.Errorf("after %s it ended with %s, %s", time.Since(began), aws.ToString(out.Error),
					aws.ToString(out.Cause))
			}
		})
	}
}
