package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/logs"
)

// logGroup makes a log group below the stack's name, which ends with the
// stack. Nobody has the permission to make one by writing to it.
func (s *stack) logGroup(id, name string) { s.logGroupIf("", id, name) }

// logGroupIf makes it only under a condition.
func (s *stack) logGroupIf(condition, id, name string) {
	s.resource(id, with(&logs.LogGroup{
		LogGroupName:                         new(cfn.Sub(name)),
		AWSCloudFormationCondition:           condition,
		AWSCloudFormationDeletionPolicy:      "Delete",
		AWSCloudFormationUpdateReplacePolicy: "Delete",
	}, properties{"RetentionInDays": cfn.Ref("LogRetentionDays")}))
}
