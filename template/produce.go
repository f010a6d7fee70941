package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/events"
	"github.com/awslabs/goformation/v7/cloudformation/iam"
)

const produceMachine = "Produce"

// addProduce makes the machine that sends a test load, and the rule that starts
// it each minute once somebody enables it.
func addProduce(s *stack) {
	s.heading("The test load: a state machine, and a rule to be enabled.")
	s.logGroup("ProduceLogGroup", "/${AWS::StackName}/produce")
	s.function(function{
		name: "ProducePlan", folder: "functions/produce/plan/", description: "Plans which messages are sent",
		timeout: 10, logGroup: "ProduceLogGroup",
	})
	s.function(function{
		name: "ProduceSend", folder: "functions/produce/send/", description: "Sends one range of messages",
		timeout: 60, memory: 512, logGroup: "ProduceLogGroup",
		environment: map[string]string{"QUEUE_URL": queueURL(), "QUEUE_TYPE": queueType()},
		permissions: []any{allow(queueARN(), "sqs:SendMessage")},
	})
	s.function(function{
		name: "ProduceReport", folder: "functions/produce/report/", description: "Sums up what was sent",
		timeout: 10, logGroup: "ProduceLogGroup",
	})
	s.machine(machine{
		name: produceMachine, definition: "statemachines/produce.asl.json",
		logGroup: "/aws/vendedlogs/states/${AWS::StackName}-produce",
		functions: map[string]string{
			"PlanFunctionArn": "ProducePlan", "SendFunctionArn": "ProduceSend", "ReportFunctionArn": "ProduceReport",
		},
	})
	s.resource("TestMessageProducerRuleRole", starter(eventsService, produceMachine))
	s.resource("TestMessageProducerRule", &events.Rule{
		Name:               new(cfn.Sub("${AWS::StackName}-SQSTestMessageProducer")),
		Description:        new("Sends test messages each minute, while it is enabled"),
		ScheduleExpression: new("rate(1 minute)"),
		State:              new("DISABLED"),
		Targets: []events.Rule_Target{{
			Id: "produce", Arn: cfn.Ref(machineID(produceMachine)),
			RoleArn: new(cfn.GetAtt("TestMessageProducerRuleRole", "Arn")),
			Input:   new(cfn.Sub(`{"messages":50,"durationSeconds":${InitialProcessingSeconds}}`)),
			// A minute that was missed is not made up for.
			RetryPolicy: &events.Rule_RetryPolicy{MaximumEventAgeInSeconds: new(60), MaximumRetryAttempts: new(1)},
		}},
	})
}

// starter is the role of one rule or schedule, which starts one machine.
func starter(service, machine string) *iam.Role {
	return role(service, "Starts executions of "+machineID(machine),
		allow(cfn.Ref(machineID(machine)), "states:StartExecution"))
}
