// Package monitoring is Amazon CloudWatch for the local engine: metrics, metric math, alarms and what they set off,
// and the metrics that AWS itself publishes for queues and services.
//
//	PutMetricData ----+                      +--> GetMetricData, GetMetricStatistics, ListMetrics
//	queue sampler ----+--> store (bounded) --+--> alarms --> state change event, topic, scaling policy
//	service sampler --+                      +--> the autoscaler (tracking.Metrics)
//
// The metric period is configuration: 60 s as on AWS, or less in a scaled world, where everything that AWS counts in
// minutes is counted in such periods. A datapoint has a moment from which it can be read; the publication delay of
// the sampled metrics is made of it.
//
// Not served, and refused as such: SEARCH and SQL expressions, anomaly detection, alarms on logs and PromQL, insight
// rules, metric streams. One account and one region are kept.
package monitoring
