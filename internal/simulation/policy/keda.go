package policy

import (
	"math"
	"time"

	"sqs-dynamic-target-tracking/internal/simulation"
)

// KEDA is the aws-sqs-queue scaler of KEDA on Kubernetes (keda.sh/docs, "AWS SQS Queue"; kedacore/keda,
// pkg/scalers/aws_sqs_queue_scaler.go): messages visible + in flight (scaleOnInFlight is the default) divided by
// queueLength, here what a pod works off within the acceptable delay, as its documentation advises; its own default is
// 5. The Horizontal Pod Autoscaler asks each 15 s, ignores deviations up to 10 %, adds at most 4 pods or 100 % in 15 s,
// and removes what the highest recommendation of the last 300 s does not need (kubernetes.io, "Horizontal Pod
// Autoscaling", default behaviour).
//
// Pods are simulated like Fargate tasks, with the same start-up: the nodes below them cost extra and are not counted.
type KEDA struct{ QueueLength float64 } // 0: what a pod works off within the delay

// Name implements simulation.Policy.
func (KEDA) Name() string { return "keda" }

const (
	hpaSync          = 15 * time.Second
	hpaStabilization = 300 * time.Second
	hpaTolerance     = 0.1
)

// Begin implements simulation.Policy.
func (k KEDA) Begin(c *simulation.Control) error {
	length := k.QueueLength
	if length == 0 {
		length = wholeBacklog(c.Scenario())
	}
	var recommended []int // of the stabilisation window, oldest first
	c.Every(hpaSync, 0, func() error {
		counts, pods := c.Look(), c.Capacity().Desired
		want := int(math.Ceil(float64(counts.Visible+counts.InFlight) / length))
		if off := float64(
			counts.Visible+counts.InFlight,
		) / (length * float64(max(1, pods))); math.Abs(
			off-1,
		) <= hpaTolerance {
			want = pods
		}
		recommended = append(recommended, want)
		if len(recommended) > int(hpaStabilization/hpaSync) {
			recommended = recommended[1:]
		}
		switch {
		case want > pods:
			c.SetDesired(min(want, max(pods+4, 2*pods)))
		case want < pods:
			highest := want
			for _, r := range recommended {
				highest = max(highest, r)
			}
			c.SetDesired(min(pods, highest))
		}
		return nil
	})
	return nil
}
