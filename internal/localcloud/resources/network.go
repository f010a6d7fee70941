package resources

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// Network resources are records only: the tasks of the local engine use this machine's network.
func addNetwork(kinds map[string]kind, config aws.Config) {
	n := network{query{config}}
	kinds["AWS::EC2::EIP"] = kind{put: n.putAddress, remove: n.removeBy("ReleaseAddress", "AllocationId", n.allocation)}
	kinds["AWS::EC2::NatGateway"] = kind{
		fixed: []string{"SubnetId", "AllocationId", "ConnectivityType"},
		put:   n.putGateway, remove: n.removeBy("DeleteNatGateway", "NatGatewayId", physicalID),
	}
	kinds["AWS::EC2::FlowLog"] = kind{
		fixed: []string{"ResourceId", "ResourceType", "TrafficType", "LogDestination", "LogDestinationType",
			"LogGroupName", "DeliverLogsPermissionArn", "MaxAggregationInterval"},
		put: n.putFlowLog, remove: n.removeBy("DeleteFlowLogs", "FlowLogId.1", physicalID),
	}
	for _, direction := range []string{"Ingress", "Egress"} {
		kinds["AWS::EC2::SecurityGroup"+direction] = kind{
			fixed: []string{"GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6",
				"SourceSecurityGroupId", "DestinationSecurityGroupId", "SourcePrefixListId", "DestinationPrefixListId"},
			put: n.putRule(direction), remove: n.removeRule(direction),
		}
	}
}

type network struct {
	ec2 query
}

func (n network) putAddress(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	if r.PhysicalID != "" {
		allocation, err := n.allocation(ctx, r)
		return ministack.ResourceResult{PhysicalID: r.PhysicalID,
			Attributes: map[string]any{"AllocationId": allocation, "PublicIp": r.PhysicalID}}, err
	}
	var made struct {
		PublicIP     string `xml:"publicIp"`
		AllocationID string `xml:"allocationId"`
	}
	err := n.ec2.call(ctx, "AllocateAddress", map[string]string{"Domain": "vpc"}, &made)
	return ministack.ResourceResult{PhysicalID: made.PublicIP,
		Attributes: map[string]any{"AllocationId": made.AllocationID, "PublicIp": made.PublicIP}}, err
}

// allocation is the allocation id of an address, whose physical id is the address itself.
func (n network) allocation(ctx context.Context, r ministack.ResourceRequest) (string, error) {
	var found struct {
		Addresses []struct {
			PublicIP     string `xml:"publicIp"`
			AllocationID string `xml:"allocationId"`
		} `xml:"addressesSet>item"`
	}
	if err := n.ec2.call(ctx, "DescribeAddresses", nil, &found); err != nil {
		return "", err
	}
	for _, address := range found.Addresses {
		if address.PublicIP == r.PhysicalID {
			return address.AllocationID, nil
		}
	}
	return "", errGone
}

func (n network) putGateway(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	if r.PhysicalID != "" {
		return named(r.PhysicalID, "NatGatewayId"), nil
	}
	var made struct {
		ID string `xml:"natGateway>natGatewayId"`
	}
	err := n.ec2.call(ctx, "CreateNatGateway", fields(r, "SubnetId", "AllocationId", "ConnectivityType"), &made)
	return named(made.ID, "NatGatewayId"), err
}

func (n network) putFlowLog(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	if r.PhysicalID != "" {
		return named(r.PhysicalID, "Id"), nil
	}
	var made struct {
		IDs []string `xml:"flowLogIdSet>item"`
	}
	parameters := fields(r, "ResourceType", "TrafficType", "LogDestination", "LogDestinationType", "LogGroupName",
		"DeliverLogsPermissionArn")
	parameters["ResourceId.1"] = text(r.Properties, "ResourceId")
	if err := n.ec2.call(ctx, "CreateFlowLogs", parameters, &made); err != nil {
		return ministack.ResourceResult{}, err
	}
	if len(made.IDs) != 1 {
		return ministack.ResourceResult{}, fmt.Errorf("CreateFlowLogs made %d flow logs, not one", len(made.IDs))
	}
	return named(made.IDs[0], "Id"), nil
}

type putFunc = func(context.Context, ministack.ResourceRequest) (ministack.ResourceResult, error)

func (n network) putRule(direction string) putFunc {
	return func(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
		if r.PhysicalID != "" {
			return named(r.PhysicalID, "Id"), nil
		}
		var made struct {
			IDs []string `xml:"securityGroupRuleSet>item>securityGroupRuleId"`
		}
		if err := n.ec2.call(ctx, "AuthorizeSecurityGroup"+direction, ruleParameters(r), &made); err != nil {
			return ministack.ResourceResult{}, err
		}
		if len(made.IDs) != 1 {
			return ministack.ResourceResult{}, fmt.Errorf("the security group got %d rules, not one", len(made.IDs))
		}
		return named(made.IDs[0], "Id"), nil
	}
}

func (n network) removeRule(direction string) func(context.Context, ministack.ResourceRequest) error {
	return func(ctx context.Context, r ministack.ResourceRequest) error {
		return ignoreGone(n.ec2.call(ctx, "RevokeSecurityGroup"+direction, map[string]string{
			"GroupId": text(r.Properties, "GroupId"), "SecurityGroupRuleId.1": r.PhysicalID}, nil))
	}
}

func ruleParameters(r ministack.ResourceRequest) map[string]string {
	const rule = "IpPermissions.1."
	parameters := map[string]string{"GroupId": text(r.Properties, "GroupId")}
	set := func(name string, properties ...string) {
		for _, property := range properties {
			if value, ok := r.Properties[property]; ok {
				parameters[rule+name] = plain(value)
			}
		}
	}
	set("IpProtocol", "IpProtocol")
	set("FromPort", "FromPort")
	set("ToPort", "ToPort")
	set("IpRanges.1.CidrIp", "CidrIp")
	set("IpRanges.1.Description", "Description")
	set("Ipv6Ranges.1.CidrIpv6", "CidrIpv6")
	set("Groups.1.GroupId", "SourceSecurityGroupId", "DestinationSecurityGroupId")
	set("PrefixListIds.1.PrefixListId", "SourcePrefixListId", "DestinationPrefixListId")
	return parameters
}

// removeBy deletes with a call of one parameter, which a function finds.
func (n network) removeBy(action, parameter string,
	find func(context.Context, ministack.ResourceRequest) (string, error),
) func(context.Context, ministack.ResourceRequest) error {
	return func(ctx context.Context, r ministack.ResourceRequest) error {
		id, err := find(ctx, r)
		if err == nil {
			err = n.ec2.call(ctx, action, map[string]string{parameter: id}, nil)
		}
		return ignoreGone(err)
	}
}

var errGone = errors.New("the resource is gone")

func ignoreGone(err error) error {
	var refusal *queryError
	if errors.Is(err, errGone) || errors.As(err, &refusal) && refusal.missing() {
		return nil
	}
	return err
}

func physicalID(_ context.Context, r ministack.ResourceRequest) (string, error) {
	return r.PhysicalID, nil
}

func named(id, attribute string) ministack.ResourceResult {
	return ministack.ResourceResult{PhysicalID: id, Attributes: map[string]any{attribute: id}}
}

// fields are the named properties as parameters of a query.
func fields(r ministack.ResourceRequest, names ...string) map[string]string {
	parameters := map[string]string{}
	for _, name := range names {
		if value, ok := r.Properties[name]; ok {
			parameters[name] = plain(value)
		}
	}
	return parameters
}

func plain(value any) string {
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}
