package main

import (
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/band"
)

// The switch is asked whenever what it depends on changes, and comes after what it must not be undone by. When the
// stack is deleted it goes before them.
func TestTheSwitchOfTheBand(t *testing.T) {
	d := committed(t)
	for property, wanted := range map[string]any{
		"State": ref("BandState"), "MinTasks": ref("MinTasks"), "MaxTasks": ref("MaxTasks"),
		"Parameter": ref("BandParameter"), "Schedule": ref("BandTimer"), "Target": ref("ScalableTarget"),
	} {
		want(t, property, d.property(t, "BandSwitch", property), wanted)
	}
	want(t, "state of the schedule", d.property(t, "BandTimer", "State"), ref("BandState"))
	want(t, "off by default", at(d.section("Parameters")["BandState"], "Default"), "DISABLED")
	for _, id := range []string{"BandSwitch", "BandTimer", "BandParameter"} {
		want(t, id+" is there", at(d.resource(t, id), "Condition"), nil) // in both directions of the switch
	}
}

// CloudFormation writes this value anew whenever it updates the parameter: without an owner the looks go on.
func TestTheBandBeginsWithoutAnOwner(t *testing.T) {
	d := committed(t)
	want(t, "value", d.property(t, "BandParameter", "Value"), "{}")
	want(t, "type", d.property(t, "BandParameter", "Type"), "String")
}

func TestTheBandsMachine(t *testing.T) {
	d := committed(t)
	want(t, "type", d.property(t, machineID(bandMachine), "Type"), "EXPRESS")
	want(t, "schedule", d.property(t, "BandTimer", "ScheduleExpression"), "rate(1 minute)")
	looks := d.property(t, machineID(bandMachine), "DefinitionSubstitutions.LookSeconds")
	want(t, "time between looks", looks, ref("BandLookSeconds"))
}

// Looks that fail and looks that have stopped are one alarm: in both cases no run ends well, and there is no data. It
// does not go off while it is made, before the first run.
func TestTheBandsAlarm(t *testing.T) {
	d := committed(t)
	want(t, "metric", d.property(t, "BandFailedAlarm", "MetricName"), "ExecutionsSucceeded")
	want(t, "no data", d.property(t, "BandFailedAlarm", "TreatMissingData"), "missing")
	for _, told := range []string{"AlarmActions", "InsufficientDataActions"} {
		want(t, told, d.property(t, "BandFailedAlarm", told), []any{ref("NotificationTopic")})
	}
	want(t, "only while it is on", at(d.resource(t, "BandFailedAlarm"), "Condition"), bandEnabled)
}

// The simulation runs with the times of package band; so does the stack unless somebody changes them.
func TestTheBandsTimes(t *testing.T) {
	d := committed(t)
	for name, wanted := range map[string]time.Duration{
		"BandLookSeconds": band.LookInterval, "BandCeilingSeconds": band.CeilingAfter,
		"BandFloorSeconds": band.FloorAfter,
	} {
		want(t, name, float(at(d.section("Parameters")[name], "Default")), wanted.Seconds())
	}
}
