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

// TestLocalTaskTokenPermissions: who may answer a token is decided by the machine that waits for it.
func TestLocalTaskTokenPermissions(t *testing.T) {
	cloud := start(t, localcloud.Config{})
	queues, api := sqs.NewFromConfig(cloud.AWSConfig()), sfn.NewFromConfig(cloud.AWSConfig())
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")})
	if err != nil {
		t.Fatal(err)
	}
	role := makeRole(t, cloud, "machine", `"sqs:SendMessage"`)
	definition := `{"StartAt":"Wait","States":{"Wait":{"Type":"Task","End":true,
		"Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
		"Parameters":{"QueueUrl":"` + *queue.QueueUrl + `","MessageBody.$":"$$.Task.Token"}}}}`
	wait := func(name string) (token string) {
		t.Helper()
		machine, err := api.CreateStateMachine(t.Context(),
			&sfn.CreateStateMachineInput{Name: &name, Definition: &definition, RoleArn: &role})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := api.StartExecution(t.Context(),
			&sfn.StartExecutionInput{StateMachineArn: machine.StateMachineArn}); err != nil {
			t.Fatal(err)
		}
		out, err := queues.ReceiveMessage(t.Context(),
			&sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 10})
		if err != nil || len(out.Messages) != 1 {
			t.Fatalf("no token came: %v", err)
		}
		return *out.Messages[0].Body
	}
	mine, theirs := wait("mine"), wait("theirs")
	user := sfn.NewFromConfig(makeUser(t, cloud))
	allow(t, cloud, `{"Effect":"Allow","Action":"states:SendTaskSuccess",`+
		`"Resource":"arn:aws:states:us-east-1:000000000000:stateMachine:mine"}`)
	answer := func(token string) error {
		_, err := user.SendTaskSuccess(t.Context(),
			&sfn.SendTaskSuccessInput{TaskToken: &token, Output: aws.String("{}")})
		return err
	}
	refused(t, answer(theirs), "states:SendTaskSuccess")
	if err := answer(mine); err != nil {
		t.Errorf("the token of the machine that the policy names is refused: %v", err)
	}
}
