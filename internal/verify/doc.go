// Package verify is what the steps of the verify machine do: it proves a rollout of the worker by what comes of it, and
// takes it back when it is bad.
//
//	Prepare -> Look At Rollout -> Send Canary -> Check Outcome -> Write Report
//	              ^      |                           ^   |             ^
//	              +-wait-+--- failed, slow -----> Roll Back -----------+
//
// Prepare notes what is verified, how things stood before, and what a rollback would go back to; everything after it
// works from this Plan, so that a rollback has one goal however often it is tried. Rollout, outcome and rollback are
// looked at again and again until they are settled; each look reads what is there (Snapshot, Evidence) and judges it
// by a function without I/O and without a clock.
//
// What counts is the outcome. A canary, which is a message that the worker answers, shows quickly that the new version
// works at all; a canary that nobody answered proves nothing as long as the new tasks do their work.
//
// The machine is the one that takes back a version, besides the circuit breaker of ECS, and it touches the service only
// while the version that it verifies is the one that is deployed. If another deployment came between, it stands aside.
package verify
