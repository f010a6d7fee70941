package monitoring

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// dashboard is kept as it was written; nothing draws it here.
type dashboard struct {
	body     string
	modified time.Time
}

func (s *Server) dashboardARN(name string) string {
	return "arn:aws:cloudwatch::" + s.Account + ":dashboard/" + name
}

func (s *Server) putDashboard(
	ctx context.Context,
	in *cloudwatch.PutDashboardInput,
) (*cloudwatch.PutDashboardOutput, error) {
	name, body := aws.ToString(in.DashboardName), aws.ToString(in.DashboardBody)
	if err := s.authorize(ctx, "PutDashboard", s.dashboardARN(name), nil); err != nil {
		return nil, err
	}
	var content map[string]any
	if name == "" || json.Unmarshal([]byte(body), &content) != nil {
		return nil, &wire.Fault{Code: "DashboardInvalidInputError", QueryCode: "InvalidParameterInput",
			Message: "The dashboard must have a name, and its body must be a JSON object."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dashboards[name] = dashboard{body, time.Now()}
	return &cloudwatch.PutDashboardOutput{DashboardValidationMessages: []types.DashboardValidationMessage{}}, nil
}

func (s *Server) getDashboard(
	ctx context.Context,
	in *cloudwatch.GetDashboardInput,
) (*cloudwatch.GetDashboardOutput, error) {
	name := aws.ToString(in.DashboardName)
	if err := s.authorize(ctx, "GetDashboard", s.dashboardARN(name), nil); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, known := s.dashboards[name]
	if !known {
		return nil, noDashboard(name)
	}
	return &cloudwatch.GetDashboardOutput{
		DashboardName: &name, DashboardBody: &d.body, DashboardArn: aws.String(s.dashboardARN(name)),
	}, nil
}

func noDashboard(name string) *wire.Fault {
	return &wire.Fault{Code: "DashboardNotFoundError", QueryCode: "ResourceNotFound", Status: 404,
		Message: "Dashboard " + name + " does not exist"}
}

func (s *Server) listDashboards(
	ctx context.Context,
	in *cloudwatch.ListDashboardsInput,
) (*cloudwatch.ListDashboardsOutput, error) {
	if err := s.authorize(ctx, "ListDashboards", "*", nil); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &cloudwatch.ListDashboardsOutput{DashboardEntries: []types.DashboardEntry{}}
	for _, name := range slices.Sorted(maps.Keys(s.dashboards)) {
		if d := s.dashboards[name]; strings.HasPrefix(name, aws.ToString(in.DashboardNamePrefix)) {
			out.DashboardEntries = append(out.DashboardEntries, types.DashboardEntry{
				DashboardName: aws.String(name), DashboardArn: aws.String(s.dashboardARN(name)),
				LastModified: aws.Time(d.modified), Size: aws.Int64(int64(len(d.body))),
			})
		}
	}
	return out, nil
}

func (s *Server) deleteDashboards(
	ctx context.Context,
	in *cloudwatch.DeleteDashboardsInput,
) (*cloudwatch.DeleteDashboardsOutput, error) {
	if len(in.DashboardNames) == 0 {
		return nil, invalidValue("Need to specify at least 1 dashboard.")
	}
	for _, name := range in.DashboardNames {
		if err := s.authorize(ctx, "DeleteDashboards", s.dashboardARN(name), nil); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range in.DashboardNames {
		if _, known := s.dashboards[name]; !known {
			return nil, noDashboard(name)
		}
	}
	for _, name := range in.DashboardNames {
		delete(s.dashboards, name)
	}
	return &cloudwatch.DeleteDashboardsOutput{}, nil
}
