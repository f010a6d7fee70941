package main

import (
	"fmt"
	"slices"
	"testing"
)

// The weights of a mapping are the share that its key promises.
func TestSpotShares(t *testing.T) {
	d := committed(t)
	weights := d.section("Mappings")["CapacityWeights"]
	shares := at(d.section("Parameters")["SpotShare"], "AllowedValues").([]any)
	want(t, "number of mappings", len(weights.(map[string]any)), len(shares))
	for _, share := range shares {
		spot, other := float(at(weights, fmt.Sprint(share)+".Spot")), float(at(weights, fmt.Sprint(share)+".OnDemand"))
		if got := 100 * spot / (spot + other); got != float(share) {
			t.Errorf("with SpotShare %v, %g %% of the tasks are on Spot", share, got)
		}
	}
	strategy := d.property(t, "Service", "CapacityProviderStrategy")
	want(t, "Spot", at(strategy, "1.Fn::If.0"), "UsesSpot")
	want(t, "Spot", at(strategy, "1.Fn::If.1.CapacityProvider"), "FARGATE_SPOT")
	want(t, "launch type", d.property(t, "Service", "LaunchType"), nil)
}

func TestClusterCountsTasks(t *testing.T) {
	d := committed(t)
	want(t, "Container Insights", d.property(t, "Cluster", "ClusterSettings"),
		[]any{map[string]any{"Name": "containerInsights", "Value": "enabled"}})
	want(t, "capacity providers", d.property(t, "Cluster", "CapacityProviders"), []any{"FARGATE", "FARGATE_SPOT"})
}

// A task that starts before the routes exist cannot pull its image, and a few
// of them make the deployment fail.
func TestServiceWaitsForTheNetwork(t *testing.T) {
	d := committed(t)
	waits := references(d.resource(t, "Service")["Properties"])
	for _, id := range []string{
		"PrivateRoute", "PrivateSubnet1Routes", "PrivateSubnet2Routes", "PrivateSubnet3Routes",
	} {
		if !slices.Contains(waits, id) {
			t.Errorf("the service does not wait for %s", id)
		}
	}
	want(t, "platform in a given network", at(d.property(t, "Service", "PlatformVersion"), "Fn::If.2"), "LATEST")
}

// The network is made when none is given, whole or not at all.
func TestNetworkIsConditional(t *testing.T) {
	d := committed(t)
	kinds := map[string]int{
		"AWS::EC2::VPC": 1, "AWS::EC2::InternetGateway": 1, "AWS::EC2::VPCGatewayAttachment": 1, "AWS::EC2::Subnet": 6,
		"AWS::EC2::RouteTable": 2, "AWS::EC2::SubnetRouteTableAssociation": 6, "AWS::EC2::Route": 2, "AWS::EC2::EIP": 1,
		"AWS::EC2::NatGateway": 1, "AWS::EC2::VPCEndpoint": 1,
	}
	blocks := map[any]bool{}
	for kind, count := range kinds {
		ids := d.ofType(kind)
		want(t, kind, len(ids), count)
		for _, id := range ids {
			want(t, id+": condition", d.resource(t, id)["Condition"], makeNetwork)
			if kind == "AWS::EC2::Subnet" {
				blocks[d.property(t, id, "CidrBlock")] = true
				want(t, id+": public addresses", d.property(t, id, "MapPublicIpOnLaunch"), nil)
			}
		}
	}
	want(t, "subnets with a block of their own", len(blocks), 6)
	want(t, "what comes in", d.property(t, "WorkerSecurityGroup", "SecurityGroupIngress"), nil)
}
