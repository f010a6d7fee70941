package localcloud

import (
	"net/http"
	"strings"
)

// signature is what the SigV4 signature of a request says about it, whether in a header or in the query.
type signature struct {
	accessKey, region, service, sessionToken string
}

// signatureOf reads a signature without checking it. Of an unsigned request it answers the zero value.
func signatureOf(r *http.Request) signature {
	credential := r.URL.Query().Get("X-Amz-Credential")
	token := r.URL.Query().Get("X-Amz-Security-Token")
	if _, rest, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(rest, ",")
		token = r.Header.Get("X-Amz-Security-Token")
	}
	scope := strings.Split(strings.TrimSpace(credential), "/") // key/date/region/service/aws4_request
	if len(scope) != 5 {
		return signature{}
	}
	return signature{accessKey: scope[0], region: scope[2], service: scope[3], sessionToken: token}
}

// shapeServices are the names by which requests name a service other than in their signature.
var shapeServices = map[string]string{
	"AnyScaleFrontendService":            "application-autoscaling",
	"GraniteServiceVersion20100801":      "monitoring",
	"AmazonSQS":                          "sqs",
	"AmazonEC2ContainerServiceV20141113": "ecs",
}

// serviceOf names the service that a request is for, as in the signature's scope: "sqs", "monitoring"; "" when the
// request does not say.
func serviceOf(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		shape, _, _ := strings.Cut(target, ".")
		if service := shapeServices[shape]; service != "" {
			return service
		}
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/service/"); ok { // rpc-v2-cbor: /service/<shape>/operation/<name>
		shape, operation, _ := strings.Cut(rest, "/")
		if service := shapeServices[shape]; service != "" && strings.HasPrefix(operation, "operation/") {
			return service
		}
	}
	return signatureOf(r).service
}
