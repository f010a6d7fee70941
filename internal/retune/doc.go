// Package retune is what the steps of the retune machine do:
//
//	Measure Duration -> Enough Samples? -> Decide Targets -> Worth Changing? -> Dry Run? -> Apply Targets
//	-> Publish Record
//
// Measure reads, Decide thinks, Apply writes. Decide does no I/O and reads no clock: given a Measurement that a person
// can check by hand, its Decision can be checked too. Apply writes what was decided into the two scaling policies of
// this stack, changes nothing else in them, and leaves both or none changed.
//
// # Why the mean
//
// Both targets are made from the mean processing duration, not from a median or a high quantile, because both are about
// capacity: n tasks finish n × c / mean messages a second whatever the distribution looks like. The long tail is the
// business of the headroom and of the utilisation below 1.
package retune
