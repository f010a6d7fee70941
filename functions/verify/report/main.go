// Command report is the last step of the verify machine: it tells how the verification ended. It needs no permission.
package main

import (
	"sqs-dynamic-target-tracking/internal/lambdastep"
	"sqs-dynamic-target-tracking/internal/verify"
)

func main() { lambdastep.Run(build) }

func build(s *lambdastep.Setup) lambdastep.Step[verify.ReportRequest, verify.Report] {
	return verify.Reporter{Stack: s.Env.Text("STACK_NAME")}.Report
}
