package resources

import (
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

// TestTaskDefinition: the API gets everything in its own spelling, numbers as numbers.
func TestTaskDefinition(t *testing.T) {
	m, _, fake := setup(t)
	const kind = "AWS::ECS::TaskDefinition"
	const arn = "arn:aws:ecs:us-east-1:000000000000:task-definition/f:1"
	fake.answers = map[string]string{"RegisterTaskDefinition": `{"taskDefinition":{"taskDefinitionArn":"` + arn + `"}}`}
	first := properties{"Family": "f", "Cpu": "256", "RequiresCompatibilities": []any{"FARGATE"},
		"RuntimePlatform": properties{"CpuArchitecture": "X86_64"},
		"ContainerDefinitions": []any{properties{"Name": "worker", "Image": "i", "StopTimeout": "120",
			"ReadonlyRootFilesystem": "true",
			"HealthCheck":            properties{"Command": []any{"CMD", "/worker"}, "StartPeriod": float64(30)},
			"LinuxParameters":        properties{"Capabilities": properties{"Drop": []any{"ALL"}}},
			"LogConfiguration":       properties{"LogDriver": "awslogs", "Options": properties{"awslogs-group": "g"}}}}}
	made := step(t, m, ministack.ResourceRequest{Step: "create", Type: kind, Properties: first})
	if made.PhysicalID != arn || made.Attributes["TaskDefinitionArn"] != arn {
		t.Errorf("made %+v", made)
	}
	for _, want := range []string{`"family":"f"`, `"cpuArchitecture":"X86_64"`, `"stopTimeout":120`,
		`"readonlyRootFilesystem":true`, `"command":["CMD","/worker"]`, `"startPeriod":30`, `"drop":["ALL"]`,
		`"options":{"awslogs-group":"g"}`} {
		if !strings.Contains(fake.calls[0], want) {
			t.Errorf("%s lacks %s", fake.calls[0], want)
		}
	}
	update := func(old, changed properties) (call string) {
		t.Helper()
		fake.calls = nil
		step(t, m, ministack.ResourceRequest{Step: "update", Type: kind, PhysicalID: made.PhysicalID,
			Properties: changed, OldProperties: old})
		return fake.calls[0]
	}
	tagged := with(first, properties{"Tags": []any{properties{"Key": "k", "Value": "v"}}})
	if call := update(first, tagged); !strings.Contains(call, "TagResource") {
		t.Errorf("a tag more is %s", call)
	}
	larger := with(tagged, properties{"Cpu": "512"})
	if call := update(tagged, larger); !strings.Contains(call, "RegisterTaskDefinition") {
		t.Errorf("another size is %s", call)
	}
	fake.calls = nil
	step(t, m, ministack.ResourceRequest{Step: "delete", Type: kind, PhysicalID: made.PhysicalID, Properties: first})
	if !strings.Contains(fake.calls[0], "DeregisterTaskDefinition") {
		t.Errorf("the delete is %s", fake.calls[0])
	}
}
