package monitoring

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// Config is what a Server is made from. The zero value serves CloudWatch as on AWS, without sampled metrics, events
// or actions.
type Config struct {
	Account string // default "000000000000"
	Region  string // default "us-east-1"
	// Period is the length of a standard datapoint and how often alarms are evaluated and metrics sampled. Default 60
	// s, as on AWS; a scaled world has a shorter one. Whole seconds, if GetMetricData shall be able to name it.
	Period time.Duration
	// EvaluationOffset is how long after a full period alarms are evaluated. Default 9 s in 60.
	EvaluationOffset time.Duration
	// PublicationDelay is how long after its end a sampled datapoint (AWS/SQS, ECS/ContainerInsights) can first be
	// read. Default: one Period; negative: none. It corresponds to tracking.Assumptions.PublicationDelay, which the
	// autoscaler therefore does not need to model.
	PublicationDelay time.Duration

	// Queues, Services and Machines are sampled each period. nil: none.
	Queues   Queues
	Services func() []Service
	Machines Machines

	// Event sends an event of the source aws.cloudwatch to the default bus. nil: none are sent.
	Event func(ctx context.Context, detailType string, resources []string, detail any) error
	// Notify publishes to the SNS topic that an alarm names as an action. nil: nothing is published.
	Notify func(ctx context.Context, topicARN, subject, message string) error

	// Authorize decides whether the caller in ctx may do action ("cloudwatch:PutMetricData") on resource (an ARN or
	// "*"). It returns nil, a *wire.Fault to answer (wire.AccessDenied), or an error of its own (status 500). nil:
	// all may.
	Authorize func(ctx context.Context, action, resource string, conditions map[string]string) error
	// Otherwise serves the actions that are not made here, e.g. metric streams, by forwarding. nil: they are refused.
	Otherwise http.Handler

	Log *slog.Logger // nil: discard
}

func (c Config) withDefaults() Config {
	c.Account = cmp.Or(c.Account, "000000000000")
	c.Region = cmp.Or(c.Region, "us-east-1")
	c.Period = cmp.Or(c.Period, time.Minute)
	c.EvaluationOffset = cmp.Or(c.EvaluationOffset, c.Period*9/60)
	c.PublicationDelay = max(0, cmp.Or(c.PublicationDelay, c.Period))
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Server is CloudWatch: an http.Handler for its API, a metric store, and alarms that [Server.Run] evaluates.
type Server struct {
	Config
	wire  wire.Service
	store *store

	mu         sync.Mutex // guards what follows
	alarms     map[string]*alarm
	dashboards map[string]dashboard
	tags       map[string]map[string]string // by ARN
	past       []historyItem
	keys       map[string]reading // what the keys of tracking.Metric mean
	calls      chan action

	watch *queueWatch
}

// New returns a server that is ready to be mounted.
func New(c Config) *Server {
	s := &Server{
		Config:     c.withDefaults(),
		alarms:     map[string]*alarm{},
		dashboards: map[string]dashboard{},
		tags:       map[string]map[string]string{},
		keys:       map[string]reading{},
		calls:      make(chan action, maxPendingActions),
		watch:      &queueWatch{queues: map[string]*queueRecord{}},
	}
	s.store = newStore(s.Period)
	s.wire = wire.Service{
		ShapeName:      "GraniteServiceVersion20100801",
		ShapeNamespace: "com.amazonaws.cloudwatch",
		JSON:           "1.0",
		XMLNamespace:   "http://monitoring.amazonaws.com/doc/2010-08-01/",
		Log:            s.Log,
		Otherwise:      c.Otherwise,
	}
	wire.Handle(&s.wire, "PutMetricData", s.putMetricData)
	wire.Handle(&s.wire, "GetMetricData", s.getMetricData)
	wire.Handle(&s.wire, "GetMetricStatistics", s.getMetricStatistics)
	wire.Handle(&s.wire, "ListMetrics", s.listMetrics)
	wire.Handle(&s.wire, "PutMetricAlarm", s.putMetricAlarm)
	wire.Handle(&s.wire, "PutCompositeAlarm", s.putCompositeAlarm)
	wire.Handle(&s.wire, "DescribeAlarms", s.describeAlarms)
	wire.Handle(&s.wire, "DescribeAlarmsForMetric", s.describeAlarmsForMetric)
	wire.Handle(&s.wire, "DescribeAlarmHistory", s.describeAlarmHistory)
	wire.Handle(&s.wire, "DeleteAlarms", s.deleteAlarms)
	wire.Handle(&s.wire, "SetAlarmState", s.setAlarmState)
	wire.Handle(&s.wire, "EnableAlarmActions", s.enableAlarmActions)
	wire.Handle(&s.wire, "DisableAlarmActions", s.disableAlarmActions)
	wire.Handle(&s.wire, "TagResource", s.tagResource)
	wire.Handle(&s.wire, "UntagResource", s.untagResource)
	wire.Handle(&s.wire, "ListTagsForResource", s.listTagsForResource)
	wire.Handle(&s.wire, "PutDashboard", s.putDashboard)
	wire.Handle(&s.wire, "GetDashboard", s.getDashboard)
	wire.Handle(&s.wire, "ListDashboards", s.listDashboards)
	wire.Handle(&s.wire, "DeleteDashboards", s.deleteDashboards)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.wire.ServeHTTP(w, r) }

func (s *Server) authorize(ctx context.Context, action, resource string, conditions map[string]string) error {
	if s.Authorize == nil {
		return nil
	}
	return s.Authorize(ctx, "cloudwatch:"+action, resource, conditions)
}

func (s *Server) alarmARN(name string) string {
	return "arn:aws:cloudwatch:" + s.Region + ":" + s.Account + ":alarm:" + name
}
