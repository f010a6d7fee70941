package resources

import (
	"strings"
	"testing"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
)

func TestPipelineIsARecord(t *testing.T) {
	m, _, _ := setup(t)
	const kind = "AWS::CodePipeline::Pipeline"
	stage := func(name string) any {
		return properties{"Name": name, "Actions": []any{properties{"Name": "a"}}}
	}
	good := properties{"RoleArn": "arn:aws:iam::000000000000:role/r", "Stages": []any{stage("Source"), stage("Deploy")}}
	made := step(t, m, ministack.ResourceRequest{Step: "create", Type: kind, Properties: good})
	if !strings.HasPrefix(made.PhysicalID, "demo-It-") || made.Attributes["Version"] != "1" {
		t.Errorf("made %+v", made)
	}
	same := step(t, m, ministack.ResourceRequest{Step: "update", Type: kind, PhysicalID: made.PhysicalID,
		Properties: with(good, properties{"PipelineType": "V2"}), OldProperties: good})
	if same.PhysicalID != made.PhysicalID {
		t.Errorf("an update made another pipeline: %s", same.PhysicalID)
	}
	named := with(good, properties{"Name": "other"})
	moved := step(t, m, ministack.ResourceRequest{Step: "update", Type: kind, PhysicalID: made.PhysicalID,
		Properties: named, OldProperties: good})
	if moved.PhysicalID != "other" {
		t.Errorf("with another name the pipeline is %s", moved.PhysicalID)
	}
	step(t, m, ministack.ResourceRequest{Step: "delete", Type: kind, PhysicalID: "other", Properties: named})

	for problem, bad := range map[string]properties{
		"no RoleArn":        with(good, properties{"RoleArn": nil}),
		"needs at least 2":  with(good, properties{"Stages": []any{stage("Source")}}),
		"Name and Actions":  with(good, properties{"Stages": []any{stage("Source"), properties{"Name": "Deploy"}}}),
		"stage 1 of the pi": with(good, properties{"Stages": []any{stage(""), stage("Deploy")}}),
	} {
		_, err := m.Resource(t.Context(), ministack.ResourceRequest{Step: "create", Type: kind, Properties: bad})
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("a pipeline with %s is answered %v", problem, err)
		}
	}
}
