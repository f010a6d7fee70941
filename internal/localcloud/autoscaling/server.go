package autoscaling

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"sqs-dynamic-target-tracking/internal/localcloud/monitoring"
	"sqs-dynamic-target-tracking/internal/localcloud/wire"
	"sqs-dynamic-target-tracking/internal/tracking"
)

// services is what is called of the ECS API.
type services interface {
	DescribeServices(
		context.Context,
		*ecs.DescribeServicesInput,
		...func(*ecs.Options),
	) (*ecs.DescribeServicesOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// monitor is what is needed of CloudWatch: datapoints to decide on, and a place to show alarms.
type monitor interface {
	tracking.Metrics
	Track([]tracking.MetricQuery)
	ShowAlarm(monitoring.ManagedAlarm)
	DropAlarms(names ...string)
	AlarmsNaming(resource string) []tracking.AlarmSpec
}

// Config is what a Server is made from.
type Config struct {
	Account string // default "000000000000"
	Region  string // default "us-east-1"
	// Period is the time between two decisions, and the length of a datapoint. Default 60 s, as on AWS.
	Period time.Duration
	// Assumptions about what AWS does not document. nil: the defaults, scaled from 60 s to Period. Its
	// PublicationDelay is not used: the metrics in Monitor have theirs.
	Assumptions *tracking.Assumptions

	ECS     services // required for targets of ECS; nil: services are assumed to exist, nothing is set
	Monitor monitor  // required for targets of ECS to be alive; nil: policies are stored only
	// Event sends an event of the source aws.application-autoscaling to the default bus. nil: none are sent.
	Event func(ctx context.Context, detailType string, resources []string, detail any) error
	// Authorize decides whether the caller in ctx may do action ("application-autoscaling:PutScalingPolicy") on
	// resource (an ARN or "*"). It returns nil, a *wire.Fault to answer (wire.AccessDenied), or an error of its own
	// (status 500). nil: all may.
	Authorize func(ctx context.Context, action, resource string, conditions map[string]string) error

	Log *slog.Logger // nil: discard
}

// Server is Application Auto Scaling: an http.Handler for its API and, with [Server.Run], the autoscaler.
type Server struct {
	Config
	assumptions tracking.Assumptions
	wire        wire.Service

	mu         sync.Mutex // guards what follows, and the fields of targets that requests read
	targets    []*target  // in the order of their registration
	activities []activity // oldest first
}

// New returns a server that is ready to be mounted.
func New(c Config) *Server {
	c.Account = cmp.Or(c.Account, "000000000000")
	c.Region = cmp.Or(c.Region, "us-east-1")
	c.Period = cmp.Or(c.Period, time.Minute)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: c, assumptions: assumptionsFor(c)}
	s.wire = wire.Service{ShapeName: "AnyScaleFrontendService", JSON: "1.1", Log: c.Log}
	wire.Handle(&s.wire, "RegisterScalableTarget", s.registerScalableTarget)
	wire.Handle(&s.wire, "DescribeScalableTargets", s.describeScalableTargets)
	wire.Handle(&s.wire, "DeregisterScalableTarget", s.deregisterScalableTarget)
	wire.Handle(&s.wire, "PutScalingPolicy", s.putScalingPolicy)
	wire.Handle(&s.wire, "DescribeScalingPolicies", s.describeScalingPolicies)
	wire.Handle(&s.wire, "DeleteScalingPolicy", s.deleteScalingPolicy)
	wire.Handle(&s.wire, "DescribeScalingActivities", s.describeScalingActivities)
	wire.Handle(&s.wire, "PutScheduledAction", s.putScheduledAction)
	wire.Handle(&s.wire, "DescribeScheduledActions", s.describeScheduledActions)
	wire.Handle(&s.wire, "DeleteScheduledAction", s.deleteScheduledAction)
	wire.Handle(&s.wire, "TagResource", s.tagResource)
	wire.Handle(&s.wire, "UntagResource", s.untagResource)
	wire.Handle(&s.wire, "ListTagsForResource", s.listTagsForResource)
	return s
}

func assumptionsFor(c Config) tracking.Assumptions {
	if c.Assumptions != nil {
		a := *c.Assumptions
		a.Period = c.Period
		return a
	}
	return tracking.DefaultAssumptions().Scaled(float64(time.Minute) / float64(c.Period))
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.wire.ServeHTTP(w, r) }

// authorize asks for a permission on a scalable target.
func (s *Server) authorize(ctx context.Context, action, resource string, k key) error {
	if s.Authorize == nil {
		return nil
	}
	conditions := map[string]string{"application-autoscaling:service-namespace": k.namespace}
	if k.dimension != "" {
		conditions["application-autoscaling:scalable-dimension"] = k.dimension
	}
	return s.Authorize(ctx, "application-autoscaling:"+action, resource, conditions)
}
