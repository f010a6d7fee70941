package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fromCondition lists what the conditions inside a value depend on: a parameter that only chooses between two texts
// enters what they are in.
func fromConditions(d document, v any) []string {
	var names []string
	var look func(any)
	look = func(v any) {
		walk(v, func(v any) {
			m, _ := v.(map[string]any)
			for _, key := range []string{"Fn::If", "Condition"} {
				name, _ := m[key].(string)
				if branch, ok := m[key].([]any); ok {
					name = branch[0].(string)
				}
				if condition := d.section("Conditions")[name]; condition != nil {
					names = append(names, references(condition)...)
					look(condition)
				}
			}
		})
	}
	look(v)
	return names
}

// CloudFormation knows only the image that it was told last. A task definition or service that it writes without having
// asked gets that one, and a deployment of the pipeline is undone.
func TestWhatEntersTheTaskEntersTheImage(t *testing.T) {
	d := committed(t)
	asked := d.resource(t, workerImageID)["Properties"]
	known := append(references(asked), fromConditions(d, asked)...)
	// The answer; what is there without a question; and what never changes.
	known = append(known, workerImageID, "WorkerImage", "WorkerRepository", "AWS::AccountId", "AWS::NoValue",
		"AWS::Partition", "AWS::Region", "AWS::StackName", "AWS::URLSuffix")
	for _, id := range []string{"TaskDefinition", "Service"} {
		properties := d.resource(t, id)["Properties"]
		for _, name := range append(references(properties), fromConditions(d, properties)...) {
			// The service waits for these, but what they are does not enter it.
			if waits := strings.HasSuffix(name, "Routes") || name == "PrivateRoute" || name == "TaskDefinition"; waits {
				continue
			}
			if !slices.Contains(known, name) {
				t.Errorf("%s enters %s and is no property of %s", name, id, workerImageID)
			}
		}
	}
	want(t, "digest of the rest", at(asked, "TaskDigest"), taskDigest(archX86))
}

// Whole values, not only what they refer to: QueueUrl and QueueName refer to the same queue.
func TestVariablesOfTheTaskAreAskedWith(t *testing.T) {
	d := committed(t)
	asked := d.resource(t, workerImageID)["Properties"].(map[string]any)
	for name, value := range taskVariables(t, d) {
		if _, literal := value.(string); literal {
			continue // in TaskDigest
		}
		found := false
		for _, property := range asked {
			found = found || reflect.DeepEqual(property, value)
		}
		if !found {
			t.Errorf("the variable %s of the task is no property of %s", name, workerImageID)
		}
	}
}

func TestTaskDigestChangesWithItsText(t *testing.T) {
	if taskDigest(archX86) == taskDigest(archARM) {
		t.Error("another processor has the same digest: CloudFormation would write it with an old image")
	}
}

// With another binary the function has another version, and CloudFormation asks.
func TestAnotherWorkerIsAskedAbout(t *testing.T) {
	d := committed(t)
	want(t, "property", d.property(t, workerImageID, "Worker"), ref("WorkerImageFunction.Version"))
	want(t, "alias", d.property(t, "WorkerImageFunction", "AutoPublishAlias"), "live")
	want(t, "built by", at(d.resource(t, "WorkerImageFunction")["Metadata"], "BuildMethod"), "makefile")
	patience, limit := float(d.property(t, workerImageID, "ServiceTimeout")),
		float(d.property(t, "WorkerImageFunction", "Timeout"))
	if patience <= limit {
		t.Errorf("CloudFormation waits %g s for a function that may take %g s", patience, limit)
	}
}

// The service is made after the image, and the image needs no service: neither waits for the other in a circle.
func TestImageComesBeforeTheService(t *testing.T) {
	d := committed(t)
	needs := map[string]bool{}
	var follow func(id string)
	follow = func(id string) {
		r, ok := d.section("Resources")[strings.TrimSuffix(id, ".Version")]
		if !ok || needs[id] {
			return
		}
		needs[id] = true
		for _, next := range references(r) {
			follow(next)
		}
		for _, next := range list(at(r, "DependsOn")) {
			follow(next.(string))
		}
	}
	follow(workerImageID)
	for _, late := range []string{"Service", "TaskDefinition", machineID(verifyMachine)} {
		if needs[late] {
			t.Errorf("the image waits for %s", late)
		}
	}
	follow("Service")
	if !needs[workerImageID] {
		t.Error("the service does not wait for its image")
	}
}

// Nothing of it is made, or asked for, when an image is given.
func TestGivenImageMakesNoneOfIt(t *testing.T) {
	d := committed(t)
	want(t, "condition", d.section("Conditions")[buildWorkerImage],
		map[string]any{"Fn::Equals": []any{ref("WorkerImage"), ""}})
	want(t, "image", d.property(t, "TaskDefinition", "ContainerDefinitions.0.Image"),
		map[string]any{"Fn::If": []any{buildWorkerImage, attribute(workerImageID, "ImageUri"), ref("WorkerImage")}})
	conditional := []string{
		"WorkerRepository", "WorkerImageLogGroup", "WorkerImageRole", "WorkerImageFunction", workerImageID,
		"RestoreImageRole", "RestoreImageFunction", "RestoreImageRule", "RestoreImagePermission",
	}
	for _, id := range conditional {
		want(t, id+": condition", d.resource(t, id)["Condition"], buildWorkerImage)
	}
	for id, r := range d.section("Resources") {
		if slices.Contains(conditional, id) || at(r, "Condition") == "HasPipeline" {
			continue
		}
		without := withoutBranch(at(r, "Properties"), buildWorkerImage)
		for _, name := range references(without) {
			if slices.Contains(conditional, strings.TrimSuffix(name, ".Version")) {
				t.Errorf("%s needs %s, which is not there with an image that is given", id, name)
			}
		}
	}
}

// withoutBranch is the value as it is where the condition does not hold.
func withoutBranch(v any, condition string) any {
	switch v := v.(type) {
	case map[string]any:
		if branch, ok := v["Fn::If"].([]any); ok && branch[0] == condition {
			return withoutBranch(branch[2], condition)
		}
		out := map[string]any{}
		for key, inner := range v {
			out[key] = withoutBranch(inner, condition)
		}
		return out
	case []any:
		var out []any
		for _, inner := range v {
			out = append(out, withoutBranch(inner, condition))
		}
		return out
	}
	return v
}

func TestRepository(t *testing.T) {
	d := committed(t)
	want(t, "tags", d.property(t, "WorkerRepository", "ImageTagMutability"), "IMMUTABLE")
	want(t, "scan", d.property(t, "WorkerRepository", "ImageScanningConfiguration.ScanOnPush"), true)
	want(t, "deletion of the stack", d.property(t, "WorkerRepository", "EmptyOnDelete"), true)

	var lifecycle struct {
		Rules []struct {
			Selection struct {
				TagStatus     string   `json:"tagStatus"`
				TagPrefixList []string `json:"tagPrefixList"`
				CountType     string   `json:"countType"`
				CountNumber   int      `json:"countNumber"`
			} `json:"selection"`
		} `json:"rules"`
	}
	text, _ := d.property(t, "WorkerRepository", "LifecyclePolicy.LifecyclePolicyText").(string)
	if err := json.Unmarshal([]byte(text), &lifecycle); err != nil {
		t.Fatal(err)
	}
	// Neither age nor a missing tag says that an image does not run: a service that nobody deploys to runs an old one,
	// and what is attached to an image (its bill of materials) has no tag.
	for _, rule := range lifecycle.Rules {
		s := rule.Selection
		if s.TagStatus != "tagged" || s.CountType != "imageCountMoreThan" || s.CountNumber < 100 {
			t.Errorf("images are expired by %+v", s)
		}
		want(t, "images with a tag like", s.TagPrefixList, []string{"worker-"}) // workerimage.Tag
	}
}

// A rollback of the stack, and nothing else, is followed by a look at the image.
func TestRollbackOfTheStackRestoresTheImage(t *testing.T) {
	d := committed(t)
	pattern := d.property(t, "RestoreImageRule", "EventPattern")
	want(t, "source", at(pattern, "source"), []any{"aws.cloudformation"})
	want(t, "stack", at(pattern, "detail.stack-id"), []any{ref("AWS::StackId")})
	want(t, "status", at(pattern, "detail.status-details.status"), []any{"UPDATE_ROLLBACK_COMPLETE"})
	want(t, "switched off", d.property(t, "RestoreImageRule", "State"), nil)
}

// The first deployment pointed at an image tag that was never pushed: tasks failed until the pipeline had run once.
func TestDefect16FirstImageIsThereBeforeTheService(t *testing.T) {
	d := committed(t)
	want(t, "default", at(d.section("Parameters")["WorkerImage"], "Default"), "")
	image := d.property(t, "TaskDefinition", "ContainerDefinitions.0.Image.Fn::If.1")
	// By the attribute of what pushes it, so neither a name that is made up nor one that exists too late.
	want(t, "image", image, attribute(workerImageID, "ImageUri"))
	if !slices.Contains(references(d.resource(t, "Service")["Properties"]), "TaskDefinition") {
		t.Error("the service does not wait for the task definition")
	}
	want(t, "pushed by", d.property(t, workerImageID, "ServiceToken"), attribute("WorkerImageFunction", "Arn"))
	want(t, "pushed to", d.property(t, workerImageID, "RepositoryUri"), attribute("WorkerRepository", "RepositoryUri"))
}
