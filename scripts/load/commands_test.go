package main

import (
	"strings"
	"testing"
	"time"

	"sqs-dynamic-target-tracking/internal/trace"
)

// TestMessagesOfAPlay: all arrivals of a trace are covered, and two plays of it send no id twice.
func TestMessagesOfAPlay(t *testing.T) {
	arrivals := trace.Trace{Name: "two bins", Step: time.Second, Bins: []int{2, 3}}
	ids := map[string]bool{}
	for range 2 {
		spec, err := messageSpec(arrivals, "exponential", 0.25)
		if err != nil {
			t.Fatal(err)
		}
		if spec.Messages != 5 || spec.DurationSeconds != 0.25 {
			t.Errorf("%+v", spec)
		}
		for index := range spec.Messages {
			ids[spec.Message(index).ID] = true
		}
	}
	if len(ids) != 10 {
		t.Errorf("two plays of 5 messages have %d ids, want 10", len(ids))
	}
}

// TestRefusals: what cannot be played is refused, by name, before anything is asked of a cloud.
func TestRefusals(t *testing.T) {
	for args, want := range map[string]string{
		"-speed 0":               "-speed 0",
		"-rate -1":               "-rate -1",
		"-trace no-such-trace":   "no-such-trace",
		"-from 1000h":            "no arrivals",
		"-distribution fixed -x": "not defined: -x",
	} {
		if err := play(t.Context(), strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("load trace %s: error %v, want one with %q", args, err, want)
		}
	}
}
