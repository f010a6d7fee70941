package main

import (
	"fmt"
	"strconv"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
)

// rule refuses a combination of parameters before anything is made. Rules
// compare and look up, but can neither compute nor take strings apart: what
// they cannot say (MinTasks above MaxTasks, a FIFO queue with a standard
// dead-letter queue) is refused by the service that it concerns.
type rule struct {
	Condition  string `json:"RuleCondition,omitempty"`
	Assertions []assertion
}

type assertion struct {
	Assert      string
	Description string `json:"AssertDescription"`
}

func addRules(s *stack) {
	s.rule("SubnetsForTheVpc", rule{given("VpcId"), []assertion{
		{given("SubnetIds"), "VpcId needs SubnetIds: the subnets in it in which tasks run."},
	}})
	s.rule("VpcForTheSubnets", rule{given("SubnetIds"), []assertion{
		{given("VpcId"), "SubnetIds need VpcId: the VPC that they are in."},
	}})
	s.rule("NoPublicAddressInPrivateSubnets", rule{blank("VpcId"), []assertion{
		{cfn.Equals(cfn.Ref("AssignPublicIp"), "DISABLED"),
			"AssignPublicIp is for subnets of your own (VpcId, SubnetIds): the ones made here are private."},
	}})
	s.rule("TwoQueues", rule{given("QueueArn"), []assertion{
		{cfn.Not([]string{cfn.Equals(cfn.Ref("QueueArn"), cfn.Ref("DeadLetterQueueArn"))}),
			"QueueArn and DeadLetterQueueArn are the same queue."},
	}})
	s.rule("RepositoryOfTheOwner", rule{given("RepositoryOwner"), []assertion{
		{given("RepositoryName"), "RepositoryOwner needs RepositoryName: the repository whose pushes are deployed."},
		{blank("WorkerImage"),
			"RepositoryOwner makes a pipeline that builds the worker's image: leave WorkerImage blank."},
	}})
	for _, size := range []struct{ cpu, least, most, step int }{
		{512, 1024, 4096, 1024}, {1024, 2048, 8192, 1024}, {2048, 4096, 16384, 1024}, {4096, 8192, 30720, 1024},
	} {
		if size.cpu == 512 {
			s.memoryRule(256, "512, 1024 or 2048", []any{"512", "1024", "2048"})
		}
		var allowed []any
		for memory := size.least; memory <= size.most; memory += size.step {
			allowed = append(allowed, strconv.Itoa(memory))
		}
		s.memoryRule(size.cpu, fmt.Sprintf("%d to %d in steps of %d", size.least, size.most, size.step), allowed)
	}
}

// memoryRule says which memory sizes Fargate has for a number of CPU units.
func (s *stack) memoryRule(cpu int, words string, allowed []any) {
	s.rule(fmt.Sprintf("MemoryForCpu%d", cpu), rule{cfn.Equals(cfn.Ref("TaskCpu"), strconv.Itoa(cpu)), []assertion{{
		intrinsic("Fn::Contains", []any{allowed, cfn.Ref("TaskMemory")}),
		fmt.Sprintf("TaskCpu %d goes with a TaskMemory of %s.", cpu, words),
	}}})
}
