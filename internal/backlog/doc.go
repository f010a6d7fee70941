// Package backlog is the arithmetic of the promise "a message starts within N seconds".
//
// It turns the promise and a measured processing duration into the two values that target tracking holds, and it keeps
// a change of those values within guard rails. It does no I/O and reads no clock: the same numbers go into the scaling
// policies at deployment (InitialTargets), at each retune, and into the simulation.
//
// # The two metrics and their targets
//
// With c messages processed at once by a task, h the headroom, d the acceptable delay, S the mean processing duration,
// u the wanted utilisation and p the metric period:
//
//	backlog per task = (visible + in flight) / tasks      target = c × (1 + h × d / S)      (Promise.Targets, PerTask)
//	rate per task    = messages sent in a period / tasks  target = p × c × u / S            (Promise.Targets)
//
// The backlog target starts from AWS's "acceptable backlog per instance = acceptable latency / average processing
// time" (Amazon EC2 Auto Scaling User Guide, "Scaling policy based on Amazon SQS"). Three things differ, for reasons:
// the c messages that a task is working on are counted and allowed, so that a busy task does not look idle; the
// quotient is weighted by a headroom, because a queue held exactly at the acceptable backlog waits exactly the
// acceptable delay; and the sum can never fall below c, where the plain quotient falls below 1 for jobs that are longer
// than the delay, and asks for more tasks than there are messages.
//
// The rate target is the utilisation law ρ = λ × S / (n × c), a form of Little's law (J. D. C. Little, "A Proof for the
// Queuing Formula L = λW", Operations Research 9(3), 1961), solved for the arrivals of one period per task at ρ = u.
//
// # Guard rails
//
// Rails.Propose moves the targets only when the measurement deserves it: enough samples, a duration that can be one, at
// most a factor a run, and nothing at all within a dead band. Each bound that acted is returned with words for people.
package backlog
