// Package consumer works on the messages of an SQS queue with a handler of the team's own: short jobs by the thousand a
// second, long ones for hours, on tasks that may be stopped at any time. [Run] does all of it; [Config] says how.
//
// # The life of a message
//
//	    queue ──────────────────────────────────────────────┐
//	      │ receive: as many as there are free slots        │
//	      ▼                                                 │
//	┌── in hand ◄── lease extended until the end            │
//	│     │                                                 │
//	│     ├─ canary? ── answer its task token ──► delete    │
//	│     │                                                 │
//	│     ├─ may outlast a drain? ── protect the task       │
//	│     ▼                                                 │
//	│  handler                                              │
//	│     ├─ nil ────────────────────────────► delete       │
//	│     ├─ Reject ── dead-letter queue ────► delete       │
//	│     ├─ Retry, other error, panic ── visible later ────┤
//	│     └─ ended by ErrStopping ── visible at once ───────┤
//	│                                                       │
//	└─ lease lost (ErrLeaseLost): nothing is done to it ────┘
//
// # Invariants
//
//   - In hand (received and not finished) are never more messages than Config.Concurrency. What waits in hand is, at
//     most, the successors of a FIFO group's message that is being worked on.
//   - A message is deleted only after its handler returned nil, or after the dead-letter queue has taken it, and only
//     while its lease lasted until then. It is deleted as long as SQS does not refuse to, at shutdown too.
//   - A lease is kept from the receive until the delete has succeeded. Where that fails, the handler's context ends
//     before the lease does.
//   - What was received and neither deleted nor given back returns by itself: nothing is lost by a crash, SIGKILL or
//     an answer that never arrived. Of what was finished, what had not been deleted yet is done again.
//   - Within a FIFO group a message begins only after the deletion of the one before has succeeded. When one is not
//     done, those behind it go back before it does.
//   - Deletes and give-backs go out at once when none is under way; what comes meanwhile goes with the next call.
//     Under load they linger a little to fill a call, but what lingers is at most 1 % of what was done before.
//   - Metrics, health, protection and the log cannot fail, delay or lose a message, except that the first message of
//     a spell of protection waits for it for at most 2 s.
//   - A spell of protection ends after Config.ProtectionSpell and the jobs then in hand, even under endless load:
//     deployments and scale-in always get through.
//   - After the end of Run's context nothing more is begun. Run returns within StopTimeout less a margin.
//
// # Files
//
// consumer.go starts and drains; receive.go and slots.go bring messages, work.go and order.go see them through,
// lease.go keeps them, batcher.go and calls.go tell SQS, setaside.go the dead-letter queue; guard.go and agent.go deal
// with protection, canary.go with canaries, metrics.go, histogram.go and health.go with what others want to know.
// docs/worker-contract.md says the same for workers in any language.
package consumer
