// Package steps is what the functions of the band do. Three times a minute the machine goes through
//
//	Look at Queue -> Decide Bounds -> To Be Armed? -> Arm Dead Man (once a run) -> Moved? -> Move Bounds
//
// and ends with Remember. Look reads, Decide thinks (package band, without I/O), Move writes MinCapacity and
// MaxCapacity of the scalable target and nothing else of it.
//
// # One owner of the bounds
//
// A parameter of the stack says whose the bounds are: the band's, or the template's. [Switch], a custom resource, hands
// them over when the stack is made or changed. Each step that writes asks first; a run that finds that the bounds are
// not the band's ends.
//
// # One run at a time
//
// A run claims the parameter before it looks. Writing it answers a version that only ever grows by one, so of two runs
// that claim it at once the second one knows and ends; and the first one, whose claim is written over, ends at its next
// step, before it writes anything. The next minute's run looks. A claim ends with its run, or with the time that a run
// may take.
package steps
