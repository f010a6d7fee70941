// Package wire speaks the protocols that AWS clients use, for the services that the local engine serves itself.
//
// A [Service] is an http.Handler made of operations over the SDK's own input and output structures:
//
//	s := wire.Service{ShapeName: "GraniteServiceVersion20100801", JSON: "1.0"}
//	wire.Handle(&s, "PutDashboard", func(ctx context.Context, in *PutDashboardInput) (*PutDashboardOutput, error) {
//		...
//	})
//
// The same operation answers smithy rpc-v2-cbor (Go SDK and boto3 for CloudWatch), AWS JSON 1.0 and 1.1
// (X-Amz-Target) and the older query protocol with XML answers. The member names are those of the SDK's fields, which
// are those of the service model; so nothing is described twice.
//
// Every protocol is read into one tree (map[string]any, []any, string, bool, numbers, time.Time, nil) that is then
// assigned to the input, and every output is turned into one tree that each protocol writes its own way.
package wire
