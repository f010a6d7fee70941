package main

import (
	"fmt"
	"strings"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/ec2"
	"github.com/awslabs/goformation/v7/cloudformation/tags"
)

const (
	makeNetwork = "MakeNetwork" // condition: no VPC is given
	zones       = 3
)

// addNetwork makes a VPC with a private and a public subnet in each zone. Tasks
// run in the private ones and reach the AWS APIs through one NAT gateway: a
// second one would double the fixed cost for a loss that the queue outlasts.
// Interface endpoints would cost more than the gateway's traffic; the S3 gateway
// endpoint, through which image layers come, is free.
func addNetwork(s *stack) {
	s.condition(makeNetwork, blank("VpcId"))

	s.heading("A network for the tasks, when none is given.")
	s.resource("Vpc", &ec2.VPC{
		CidrBlock: new("10.0.0.0/16"), EnableDnsHostnames: new(true), EnableDnsSupport: new(true),
		Tags: named("vpc"), AWSCloudFormationCondition: makeNetwork,
	})
	s.resource("InternetGateway", &ec2.InternetGateway{
		Tags: named("internet"), AWSCloudFormationCondition: makeNetwork,
	})
	s.resource("InternetGatewayAttachment", &ec2.VPCGatewayAttachment{
		VpcId: cfn.Ref("Vpc"), InternetGatewayId: new(cfn.Ref("InternetGateway")),
		AWSCloudFormationCondition: makeNetwork,
	})
	s.subnets("Public", 0)
	s.subnets("Private", 10)
	s.resource("PublicRoute", &ec2.Route{
		RouteTableId: cfn.Ref("PublicRouteTable"), DestinationCidrBlock: new("0.0.0.0/0"),
		GatewayId:                  new(cfn.Ref("InternetGateway")),
		AWSCloudFormationCondition: makeNetwork, AWSCloudFormationDependsOn: []string{"InternetGatewayAttachment"},
	})
	s.resource("NatAddress", &ec2.EIP{
		Domain: new("vpc"), Tags: named("nat"),
		AWSCloudFormationCondition: makeNetwork, AWSCloudFormationDependsOn: []string{"InternetGatewayAttachment"},
	})
	s.resource("NatGateway", &ec2.NatGateway{
		AllocationId: new(cfn.GetAtt("NatAddress", "AllocationId")), SubnetId: cfn.Ref("PublicSubnet1"),
		Tags: named("nat"), AWSCloudFormationCondition: makeNetwork,
	})
	s.resource("PrivateRoute", &ec2.Route{
		RouteTableId: cfn.Ref("PrivateRouteTable"), DestinationCidrBlock: new("0.0.0.0/0"),
		NatGatewayId: new(cfn.Ref("NatGateway")), AWSCloudFormationCondition: makeNetwork,
	})
	s.resource("S3Endpoint", &ec2.VPCEndpoint{
		VpcId: cfn.Ref("Vpc"), VpcEndpointType: new("Gateway"),
		ServiceName:                cfn.Sub("com.amazonaws.${AWS::Region}.s3"),
		RouteTableIds:              []string{cfn.Ref("PrivateRouteTable")},
		AWSCloudFormationCondition: makeNetwork,
	})
	s.resource("WorkerSecurityGroup", &ec2.SecurityGroup{
		GroupDescription: "Tasks of the worker: nothing comes in, HTTPS goes out",
		VpcId:            new(either(makeNetwork, cfn.Ref("Vpc"), cfn.Ref("VpcId"))),
		SecurityGroupEgress: []ec2.SecurityGroup_Egress{{
			Description: new("AWS APIs and images"), CidrIp: new("0.0.0.0/0"),
			IpProtocol: "tcp", FromPort: new(443), ToPort: new(443),
		}},
	})
}

// subnets adds one subnet a zone, 10.0.<first>.0/24 and following, and the
// route table that they share.
func (s *stack) subnets(kind string, first int) {
	table := kind + "RouteTable"
	s.resource(table, &ec2.RouteTable{
		VpcId: cfn.Ref("Vpc"), Tags: named(kind), AWSCloudFormationCondition: makeNetwork,
	})
	for zone := range zones {
		id := fmt.Sprintf("%sSubnet%d", kind, zone+1)
		s.resource(id, &ec2.Subnet{
			VpcId: cfn.Ref("Vpc"), AvailabilityZone: new(cfn.Select(zone, cfn.GetAZs(""))),
			CidrBlock: new(fmt.Sprintf("10.0.%d.0/24", first+zone)),
			Tags:      named(fmt.Sprintf("%s-%d", kind, zone+1)), AWSCloudFormationCondition: makeNetwork,
		})
		s.resource(id+"Routes", &ec2.SubnetRouteTableAssociation{
			SubnetId: cfn.Ref(id), RouteTableId: cfn.Ref(table), AWSCloudFormationCondition: makeNetwork,
		})
	}
}

// taskSubnets are where tasks run.
func taskSubnets() string {
	var private []string
	for zone := range zones {
		private = append(private, cfn.Ref(fmt.Sprintf("PrivateSubnet%d", zone+1)))
	}
	return either(makeNetwork, private, cfn.Split(",", cfn.Ref("SubnetIds")))
}

// afterNetwork is the value, but not before a task that starts in the made
// network can reach anything. It stands for a DependsOn, which cannot be told
// that the resources may not exist.
func afterNetwork(value string) string {
	routes := []string{value, "${PrivateRoute}"}
	for zone := range zones {
		routes = append(routes, fmt.Sprintf("${PrivateSubnet%dRoutes}", zone+1))
	}
	return either(makeNetwork, cfn.Select(0, cfn.Split(" ", cfn.Sub(strings.Join(routes, " ")))), value)
}

// named is the Name that the console shows.
func named(part string) []tags.Tag {
	return []tags.Tag{{Key: "Name", Value: cfn.Sub("${AWS::StackName}-" + part)}}
}
