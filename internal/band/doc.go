// Package band decides where the bounds of the task count shall be: a floor that follows what the live queue needs, and
// a ceiling that sinks behind it.
//
// Target tracking acts about six minutes after a load rises. Bounds act at once: a floor above the task count raises
// it, a ceiling below it lowers it. So a look at the queue every 20 seconds moves the bounds, and target tracking works
// inside them. The package is pure: no I/O, no clock, and the same code in the simulation and behind the machine.
//
// # The rule
//
// With D the acceptable delay, c the messages that a task works on at once, V visible and F in flight as a look sees
// them, S the mean processing duration of the last ten minutes, λ the messages sent a second over the last three metric
// periods, n the tasks that count and L = 20 s the time between looks:
//
//	arrivals   rate need    = max(λ S, mean F + growth of (V + F) over T × S / T) / (c u)
//	backlog    left         = max(D − L, D / 2)
//	           spare        = n c left / S
//	           backlog need = V S / (c left)              if V <= spare: the tasks that run work it off in time
//	                          n + (V − spare) S / (c q)   otherwise: more tasks work the rest off within q
//	                          never above (V + F) / c: there is no work for more
//	floor                   = the larger need, rounded up
//	ceiling                 = max(floor, ceiling before × (1 − d) a minute), kept as a fraction
//
//	n = running + 0.4 (desired − running)    a task that still starts works for part of the time left
//	u = 0.7 + D / 200 s, from 0.8 to 1       utilisation that a longer delay can bear
//	T = the longest of 60 s, min(S, 300 s) and min(D, 300 s)
//	q = max(D / 9, 6.7 s)                    6.7 s: a third of L
//	d = D / 500 s, from 0.05 to 0.6
//
// Both bounds always lie within MinTasks and MaxTasks. While a deployment is in progress the floor is at least the
// desired count, so that nothing is removed, and of the running tasks, old and new, only as many as are desired count.
//
// λ S and mean F are Little's law (J. D. C. Little, "A Proof for the Queuing Formula L = λW", Operations Research 9(3),
// 1961): the messages in work at a time. What arrives is what completes and what the queue grows by. The other
// expressions and all constants are chosen by simulation: docs/band.md.
//
// # Doubt
//
// GetQueueAttributes is eventually consistent, up to about a minute late (Amazon SQS API Reference), and reads zero now
// and then. A look is not believed, and moves nothing, when it reads zero
//
//   - at once, where more messages were there a look ago than the tasks can have worked off since. A second zero is
//     believed;
//   - for two minutes in which a metric period shows arrivals that keep at least one message in work.
//
// Below one message in work a queue is empty most of the time; there the rate need, which comes from what was sent,
// keeps enough tasks.
//
// # Losing the memory
//
// A [Memory] older than five minutes, or none at all, is harmless: the ceiling then begins at the desired count.
//
// # Units of time
//
// All times of the rule but D and S are multiples of L. A world that runs faster divides D, S and L, and sees the same
// bounds.
package band
