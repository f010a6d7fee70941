package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
)

func addOutputs(s *stack) {
	s.output("QueueUrl", "Queue of the jobs", queueURL())
	s.output("QueueName", "Its name, by which metrics are found", queueName())
	s.output("DeadLetterQueueUrl", "Queue of the jobs that were set aside; blank without one", deadLetterQueueURL())
	s.output("ClusterName", "ECS cluster", clusterName())
	s.output("ServiceName", "ECS service of the worker", serviceName())

	s.output("ScalableTargetId", "Scalable target of the service", cfn.Ref("ScalableTarget"))
	s.output("MinTasks", "Fewest tasks", cfn.Ref("MinTasks"))
	s.output("MaxTasks", "Most tasks", cfn.Ref("MaxTasks"))
	s.output("BacklogPolicyArn", "Scaling policy that tracks the backlog per task", cfn.Ref("BacklogScalingPolicy"))
	s.output("RatePolicyArn", "Scaling policy that tracks the messages sent per task", cfn.Ref("RateScalingPolicy"))
	s.output("AcceptableDelaySeconds", "Longest time that a message may wait", cfn.Ref("AcceptableDelaySeconds"))

	s.output("ProduceStateMachineArn", "State machine that sends a test load", cfn.Ref(machineID(produceMachine)))
	s.output("RetuneStateMachineArn", "State machine that moves the targets", cfn.Ref(machineID(retuneMachine)))
	s.output("BandStateMachineArn", "State machine that moves the bounds of the task count",
		cfn.Ref(machineID(bandMachine)))
	s.output("BandLogGroup", "Log group with one line for each look of the band", cfn.Ref("BandLogGroup"))
	s.output("VerifyStateMachineArn", "State machine that proves a deployment of the worker",
		cfn.Ref(machineID(verifyMachine)))
	s.outputIf(hasPipeline, "PipelineName", "Pipeline that builds, deploys and proves each push", cfn.Ref("Pipeline"))
	s.outputIf(buildWorkerImage, "WorkerRepositoryUri", "Repository of the worker's images",
		cfn.GetAtt("WorkerRepository", "RepositoryUri"))
	s.outputIf(buildWorkerImage, "WorkerImageUri", "Image that the last deployment of the stack gave to the service",
		cfn.GetAtt(workerImageID, "ImageUri"))
	s.outputIf(buildWorkerImage, "WorkerImageReason", "Why that one", cfn.GetAtt(workerImageID, "Reason"))
	for _, name := range []string{workerImage, restoreImage} {
		s.outputIf(buildWorkerImage, functionID(name)+"Arn", "Function "+functionID(name),
			cfn.GetAtt(functionID(name), "Arn"))
	}
	for _, name := range []string{
		"ProducePlan", "ProduceSend", "ProduceReport",
		"RetuneTurn", "RetuneMeasure", "RetuneDecide", "RetuneApply", "RetunePublish", "RetuneAgain", "RetuneCompare",
		initialTargets,
		"BandLook", "BandDecide", "BandArm", "BandMove", "BandRemember", "BandSwitch",
		"VerifyPrepare", "VerifyRollout", "VerifyOutcome", "VerifyRollback", "VerifyReport",
	} {
		s.output(functionID(name)+"Arn", "Function "+functionID(name), cfn.GetAtt(functionID(name), "Arn"))
	}
	s.output("TestMessageProducerRuleArn", "Rule that sends a test load each minute while it is enabled",
		cfn.GetAtt("TestMessageProducerRule", "Arn"))
	s.output("RetuneRunLogGroup", "Log group with one line for each retune", cfn.Ref("RetuneRunLogGroup"))
	s.output("DriftAlarmName", "Alarm that starts a retune when the duration drifts", cfn.Ref("DriftAlarm"))
	s.output("NotificationTopicArn", "Topic of alarms and failures", cfn.Ref("NotificationTopic"))

	const rule = " --region ${AWS::Region} --name ${AWS::StackName}-SQSTestMessageProducer"
	s.output("StartLoadCommand", "Starts the test load", cfn.Sub("aws events enable-rule"+rule))
	s.output("StopLoadCommand", "Stops the test load", cfn.Sub("aws events disable-rule"+rule))
	s.output("StartRetuneCommand", "Starts a retune by hand", cfn.Sub("aws stepfunctions start-execution "+
		"--region ${AWS::Region} --state-machine-arn ${RetuneStateMachine} --input '{\"reason\":\"by hand\"}'"))
	s.output("StartVerifyCommand", "Verifies what the service runs now", cfn.Sub("aws stepfunctions start-execution "+
		"--region ${AWS::Region} --state-machine-arn ${VerifyStateMachine} --input '{\"reason\":\"by hand\"}'"))
}
