package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Past is a deployment that the service has had, or has. ECS remembers those of the last 90 days.
type Past struct {
	Status  string // of types.ServiceDeploymentStatus
	Reason  string
	Created time.Time
	Version Version // that it brought, or was to bring
}

type historyClient interface {
	ListServiceDeployments(context.Context, *ecs.ListServiceDeploymentsInput, ...func(*ecs.Options)) (
		*ecs.ListServiceDeploymentsOutput, error)
	DescribeServiceRevisions(context.Context, *ecs.DescribeServiceRevisionsInput, ...func(*ecs.Options)) (
		*ecs.DescribeServiceRevisionsOutput, error)
}

// mostPast bounds how far back is looked: so many deployments may have failed in a row.
const mostPast = 100

// history returns the service's deployments, the newest first.
func (s Service) history(ctx context.Context, client historyClient) ([]Past, error) {
	var briefs []types.ServiceDeploymentBrief
	request := &ecs.ListServiceDeploymentsInput{Cluster: &s.Cluster, Service: &s.Name}
	for {
		page, err := client.ListServiceDeployments(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the deployments of service %s: %w", s.Name, err)
		}
		briefs = append(briefs, page.ServiceDeployments...)
		if request.NextToken = page.NextToken; aws.ToString(page.NextToken) == "" || len(briefs) >= mostPast {
			break
		}
	}
	versions, err := s.revisions(ctx, client, briefs)
	if err != nil {
		return nil, err
	}
	var past []Past
	for _, brief := range briefs {
		version, known := versions[aws.ToString(brief.TargetServiceRevisionArn)]
		if !known {
			continue // a revision that ECS has forgotten cannot be gone back to
		}
		past = append(past, Past{
			Status: string(brief.Status), Reason: aws.ToString(brief.StatusReason),
			Created: aws.ToTime(brief.CreatedAt), Version: version,
		})
	}
	slices.SortStableFunc(past, func(a, b Past) int { return b.Created.Compare(a.Created) })
	return past, nil
}

// revisions describes the service revisions that the deployments brought, by their ARNs.
func (s Service) revisions(ctx context.Context, client historyClient, briefs []types.ServiceDeploymentBrief) (
	map[string]Version, error,
) {
	var wanted []string
	for _, brief := range briefs {
		if arn := aws.ToString(brief.TargetServiceRevisionArn); arn != "" && !slices.Contains(wanted, arn) {
			wanted = append(wanted, arn)
		}
	}
	found := map[string]Version{}
	for part := range slices.Chunk(wanted, 20) { // as many as ECS describes at once
		page, err := client.DescribeServiceRevisions(ctx, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: part})
		if err != nil {
			return nil, fmt.Errorf("describe the revisions of service %s: %w", s.Name, err)
		}
		for _, revision := range page.ServiceRevisions {
			definition := aws.ToString(revision.TaskDefinition)
			version := Version{TaskDefinition: short(definition), TaskDefinitionArn: definition}
			for _, image := range revision.ContainerImages {
				if aws.ToString(image.ContainerName) == s.Container {
					version.Image, version.ImageDigest = aws.ToString(image.Image), aws.ToString(image.ImageDigest)
				}
			}
			found[aws.ToString(revision.ServiceRevisionArn)] = version
		}
	}
	return found, nil
}

// before returns the version that a rollback from expected goes back to: that of the last deployment that completed
// before the one of expected began, and never expected itself. One with the same image in another task definition is
// another version: what is wrong may be the memory that the task has.
func before(history []Past, expected Version, deployed time.Time) *Version {
	for _, past := range history {
		if past.Status == string(types.ServiceDeploymentStatusSuccessful) && past.Created.Before(deployed) &&
			past.Version.TaskDefinitionArn != expected.TaskDefinitionArn {
			version := past.Version
			return &version
		}
	}
	return nil
}

// latest returns the newest deployment of the image with that digest.
func latest(history []Past, digest string) *Past {
	for _, past := range history {
		if digest != "" && past.Version.ImageDigest == digest {
			return &past
		}
	}
	return nil
}

// latestOf returns the newest deployment of the version's task definition.
func latestOf(history []Past, taskDefinition string) *Past {
	for _, past := range history {
		if past.Version.TaskDefinitionArn == taskDefinition {
			return &past
		}
	}
	return nil
}
