// Package steps is what the steps of the band machine do, three times a minute:
//
//	Look at Queue -> (once a run) Arm Dead Man -> Decide -> Moved? -> Move Bounds
//
// Look reads, Decide thinks (package band, without I/O), Move writes MinCapacity and MaxCapacity of the scalable target
// and nothing else.
package steps
