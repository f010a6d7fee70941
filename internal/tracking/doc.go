// Package tracking is Application Auto Scaling for one ECS service as a deterministic engine: target tracking on metric
// math, step policies, the CloudWatch alarms behind them, cooldowns, bounds and the activities that tell what happened.
//
// It does no I/O and reads no clock. Whoever drives it owns time, metrics and tasks:
//
//	         metrics as readable then
//	                  |
//	alarms (M of N, missing data, lag)          one evaluation a period
//	 AlarmHigh  AlarmLow  | step alarms                  |
//	     \        /             |                        v
//	one proposal a policy: out, in, hold      Evaluate(now, Capacity) Decision
//	                  |
//	any out wins, in needs all, largest wins
//	                  |
//	cooldown -> suspension -> deployment -> bounds
//	                  |
//	new desired count, activity or reason for not scaling
//
// What AWS does not document is a field of [Assumptions] with its default and evidence level; nothing else in the
// package holds such a number.
//
// Read assumptions.go first, then alarm.go (a datapoint becomes a state), decide.go (a state becomes a proposal) and
// engine.go (proposals become a decision). Metric math has a package of its own, metricmath.
//
// Invariants: a decision lies within [Bounds]; while a policy is above its target nothing is removed by target
// tracking; the same calls give the same decisions, activities and identifiers.
package tracking
