package autoscaling

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// key names a scalable target.
type key struct{ namespace, resource, dimension string }

func (k key) String() string {
	return fmt.Sprintf("service namespace: %s, resource ID: %s, scalable dimension: %s", k.namespace, k.resource,
		k.dimension)
}

const (
	ecsNamespace = "ecs"
	ecsDimension = "ecs:service:DesiredCount"
)

// service returns the cluster and service behind a target of ECS.
func (k key) service() (cluster, service string, ok bool) {
	parts := strings.Split(k.resource, "/")
	if k.namespace != ecsNamespace || len(parts) != 3 {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// resourceForms are the forms of resource IDs for each kind of resource, as the API reference describes them. The
// kind is the middle part of the scalable dimension.
var resourceForms = map[string]*regexp.Regexp{
	"ecs:service":                    regexp.MustCompile(`^service/[^/]+/[^/]+$`),
	"ec2:spot-fleet-request":         regexp.MustCompile(`^spot-fleet-request/.+$`),
	"elasticmapreduce:instancegroup": regexp.MustCompile(`^instancegroup/[^/]+/[^/]+$`),
	"appstream:fleet":                regexp.MustCompile(`^fleet/.+$`),
	"dynamodb:table":                 regexp.MustCompile(`^table/[^/]+$`),
	"dynamodb:index":                 regexp.MustCompile(`^table/[^/]+/index/[^/]+$`),
	"rds:cluster":                    regexp.MustCompile(`^cluster:.+$`),
	"sagemaker:variant":              regexp.MustCompile(`^endpoint/[^/]+/variant/[^/]+$`),
	"sagemaker:inference-component":  regexp.MustCompile(`^inference-component/.+$`),
	"custom-resource:ResourceType":   regexp.MustCompile(`^.+$`),
	"comprehend:document-classifier-endpoint": regexp.MustCompile(
		`^arn:[^:]+:comprehend:.*:document-classifier-endpoint/.+$`,
	),
	"comprehend:entity-recognizer-endpoint": regexp.MustCompile(
		`^arn:[^:]+:comprehend:.*:entity-recognizer-endpoint/.+$`,
	),
	"lambda:function":               regexp.MustCompile(`^function:[^:]+:[^:]+$`),
	"cassandra:table":               regexp.MustCompile(`^keyspace/[^/]+/table/[^/]+$`),
	"kafka:broker-storage":          regexp.MustCompile(`^arn:[^:]+:kafka:.+$`),
	"elasticache:cache-cluster":     regexp.MustCompile(`^cache-cluster/.+$`),
	"elasticache:replication-group": regexp.MustCompile(`^replication-group/.+$`),
	"neptune:cluster":               regexp.MustCompile(`^cluster:.+$`),
	"workspaces:workspacespool":     regexp.MustCompile(`^workspacespool/.+$`),
}

// matches checks that namespace, dimension and resource ID belong together.
func (k key) matches() error {
	parts := strings.SplitN(k.dimension, ":", 3)
	form := resourceForms[strings.Join(parts[:2], ":")]
	if parts[0] != k.namespace || form == nil || !form.MatchString(k.resource) {
		return validation("Unsupported service namespace, resource type or scalable dimension")
	}
	return nil
}

// members are the three members that name a target, as requests have them.
type members struct {
	namespace types.ServiceNamespace
	resource  *string
	dimension types.ScalableDimension
}

// printable is the pattern of most strings of the API.
var printable = regexp.MustCompile(`^[\x{20}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}\r\n\t]*$`)

const printableWritten = `[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*`

// check reads a full key.
func (m members) check(v *wire.Violations) key {
	if m.namespace == "" {
		v.Missing("serviceNamespace")
	}
	wire.Required(v, "resourceId", m.resource)
	if m.dimension == "" {
		v.Missing("scalableDimension")
	}
	return m.checkPresent(v)
}

// checkPresent checks the members that are there.
func (m members) checkPresent(v *wire.Violations) key {
	wire.Enum(v, "scalableDimension", m.dimension, dimensions())
	wire.Enum(v, "serviceNamespace", m.namespace, m.namespace.Values())
	checkID(v, "resourceId", m.resource)
	k := key{namespace: string(m.namespace), dimension: string(m.dimension)}
	if m.resource != nil {
		k.resource = *m.resource
	}
	return k
}

func dimensions() []types.ScalableDimension {
	return slices.Clone(types.ScalableDimension("").Values())
}

func checkID(v *wire.Violations, path string, value *string) {
	v.Length(path, value, 1, 1600)
	v.Pattern(path, value, printable, printableWritten)
}

func checkIDs(v *wire.Violations, path string, list []string) {
	v.Size(path, len(list), 0, 50)
	for i := range list {
		checkID(v, fmt.Sprintf("%s.%d.member", path, i+1), &list[i])
	}
}
