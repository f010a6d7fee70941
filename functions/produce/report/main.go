// Command report is the last step of the produce machine: it checks that everything was sent and adds it up.
package main

import (
	"context"

	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/produce"
)

func main() { lambdastep.Run(build) }

func build(*lambdastep.Setup) lambdastep.Step[produce.ReportRequest, produce.Report] {
	return func(_ context.Context, request produce.ReportRequest) (produce.Report, error) {
		return produce.NewReport(request)
	}
}
