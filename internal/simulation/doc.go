// Package simulation runs a queue, its tasks and a scaling policy in virtual time.
//
// It answers what a queue will do before it does it: for a load (arrivals and the work of each message), assumptions
// about AWS, and a policy, it tells how many messages started within the acceptable delay and what the tasks cost.
//
//	Load ──arrivals──> queue ──messages──> tasks ──durations──> metrics (published late)
//	                     │                   ▲                     │
//	                     └──live counts──> Policy <──datapoints────┘
//	                                         │
//	                   tracking.Engine, bounds, desired count
//
// The model is driven by events, deterministic for a seed, and pure: no I/O, no clock, no global state. A run costs
// time in proportion to its messages plus one evaluation of the scaling engine a period.
//
// What AWS does not document is a field of [Assumptions], with its evidence level in [Catalogue]; nothing else in the
// package holds such a number. The same seed gives every policy the same messages with the same work, so that two
// policies differ by what they do and not by luck.
//
// Invariants, kept by tests: every message is waiting, in flight, or done; a message is done once, and work beyond
// that is counted as doubled; a task serves no more than its concurrency; tasks that are protected are not stopped.
package simulation
