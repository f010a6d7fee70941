// Command plan is the first step of the produce machine: it checks the input and divides the messages into ranges.
package main

import (
	"context"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/produce"
)

func main() { lambdastep.Run(build) }

func build(*lambdastep.Setup) lambdastep.Step[produce.PlanRequest, produce.Plan] {
	return func(_ context.Context, request produce.PlanRequest) (produce.Plan, error) {
		return produce.NewPlan(request)
	}
}
