// Package autoscaling is Application Auto Scaling for the local engine: its API, and the autoscaler behind it.
//
// The API keeps scalable targets of every service namespace with their policies, scheduled actions, tags and
// activities. Targets of ECS are alive: once a period the autoscaler asks a [tracking.Engine] what to do and sets the
// service's desired count.
//
//	RegisterScalableTarget, PutScalingPolicy ... --> target --> tracking.Engine <-- metrics (monitoring)
//	                                                              |   |
//	                       ECS UpdateService <-- desired count <--+   +--> activities, alarms (monitoring)
//
// One change at a time happens to a target (its turn): a request that finds the turn taken for too long is told
// ConcurrentUpdateException, as on AWS.
package autoscaling
