package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
)

const initialTargets = "InitialTargets"

// tuningParameterName is the SSM parameter in which the retune keeps what it
// measured. The stack does not make it: its value is not the template's.
func tuningParameterName() string { return cfn.Sub("/${AWS::StackName}/tuning") }

func tuningParameterARN() string { return arn("ssm", "parameter/${AWS::StackName}/tuning") }

// addInitialTargets computes what CloudFormation cannot: the values of both
// targets, from the last measured duration if there is one.
//
// CloudFormation asks again only when a property changed, and otherwise uses
// the old answer. So whatever enters the scaling policies and the drift alarm
// is a property here, their text included: each time that CloudFormation is
// about to write one it has just asked, and never resets a tuned target.
func addInitialTargets(s *stack) {
	s.heading("Both targets, computed when the stack is made or changed.")
	s.logGroup("InitialTargetsLogGroup", "/${AWS::StackName}/initial-targets")
	s.function(function{
		name: initialTargets, folder: "functions/initialtargets/",
		description: "Answers the scaling targets when the stack is made or changed",
		timeout:     60, logGroup: "InitialTargetsLogGroup",
		environment: map[string]string{"TUNING_PARAMETER_NAME": tuningParameterName()},
		permissions: []any{allow(tuningParameterARN(), "ssm:DeleteParameter", "ssm:GetParameter")},
	})
	s.resource(initialTargets, customResource{kind: initialTargets, function: functionID(initialTargets),
		properties: map[string]any{
			"ServiceTimeout": 120, // seconds; without it a function that dies holds the stack for an hour

			"AcceptableDelaySeconds":   cfn.Ref("AcceptableDelaySeconds"),
			"InitialProcessingSeconds": cfn.Ref("InitialProcessingSeconds"),
			"Headroom":                 cfn.Ref("Headroom"),
			"Utilization":              cfn.Ref("Utilization"),
			"WorkerConcurrency":        cfn.Ref("WorkerConcurrency"),
			"MetricPeriodSeconds":      cfn.Ref("MetricPeriodSeconds"),

			"ScaleOutCooldownSeconds": cfn.Ref("ScaleOutCooldownSeconds"),
			"ScaleInCooldownSeconds":  cfn.Ref("ScaleInCooldownSeconds"),
			"QueueName":               queueName(),
			"ClusterName":             clusterName(),
			"ServiceName":             serviceName(),
			"MinTasks":                cfn.Ref("MinTasks"),
			"PolicyDigest":            policyDigest(trackingPolicies()),
			"DriftFactor":             cfn.Ref("DriftFactor"),
			"DriftPeriods":            cfn.Ref("DriftPeriods"),
			"DriftAlarmDigest":        digest(driftAlarm()),
		}})
}

// policyDigest changes when the text of a tracking policy does.
func policyDigest(policies []trackingPolicy) string {
	var resources []cfn.Resource
	for _, p := range policies {
		resources = append(resources, p.resource())
	}
	return digest(resources...)
}

// digest changes when the text of a resource does.
func digest(resources ...cfn.Resource) string {
	hash := sha256.New()
	for _, r := range resources {
		raw, err := json.Marshal(r)
		if err != nil {
			panic(err) // render would fail on the same resource
		}
		hash.Write(raw)
	}
	return hex.EncodeToString(hash.Sum(nil))[:12]
}
