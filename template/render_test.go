package main

import (
	"strings"
	"testing"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
	"github.com/awslabs/goformation/v7/cloudformation/ecs"
	"github.com/awslabs/goformation/v7/cloudformation/sqs"
)

// yamlOf renders one value.
func yamlOf(t *testing.T, v any) string {
	t.Helper()
	n, err := nodeOf(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := expand(n); err != nil {
		t.Fatal(err)
	}
	text, err := encode(n)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestIntrinsicFunctionsAreShort(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   any
		want string
	}{
		{"ref", cfn.Ref("Queue"), "!Ref Queue\n"},
		{"pseudo parameter", cfn.Ref("AWS::Region"), "!Ref AWS::Region\n"},
		{"attribute", cfn.GetAtt("Queue", "Arn"), "!GetAtt Queue.Arn\n"},
		{"sub", cfn.Sub("${AWS::StackName}-x"), "!Sub ${AWS::StackName}-x\n"},
		{"literal map", map[string]any{"Ref": "Queue"}, "!Ref Queue\n"},
		{"nested", cfn.Select(1, cfn.Split(":", cfn.Ref("QueueArn"))), "!Select [1, !Split [':', !Ref QueueArn]]\n"},
		{"bools stay bools", either("A", true, false), "!If [A, true, false]\n"},
		{"numbers stay numbers", either("A", 1024, 8), "!If [A, 1024, 8]\n"},
		{"no value", onlyIf("A", "x"), "!If [A, x, !Ref 'AWS::NoValue']\n"},
		{"condition", cfn.And([]string{holds("A"), holds("B")}), "!And [!Condition A, !Condition B]\n"},
		{"one tag a node", intrinsic("Fn::GetAZs", cfn.Ref("AWS::Region")), "Fn::GetAZs: !Ref AWS::Region\n"},
		{"no documented short form", intrinsic("Fn::Contains", []any{[]string{"a"}, cfn.Ref("A")}),
			"Fn::Contains:\n  - [a]\n  - !Ref A\n"},
		{"maps are not put in a line", either("A", map[string]any{"b": 1}, noValue),
			"!If\n- A\n- b: 1\n- !Ref AWS::NoValue\n"},
		{"variables in order", subWith("${B}${A}", map[string]any{"B": 1, "A": cfn.Ref("C")}),
			"!Sub\n- ${B}${A}\n- A: !Ref C\n  B: 1\n"},
		{"long lists are not put in a line",
			cfn.Join("", []string{strings.Repeat("a", 50), strings.Repeat("b", 50)}),
			"!Join\n- \"\"\n- [" + strings.Repeat("a", 50) + ", " + strings.Repeat("b", 50) + "]\n"},
	} {
		if got := yamlOf(t, tt.in); strings.ReplaceAll(got, "  - ", "- ") != strings.ReplaceAll(tt.want, "  - ", "- ") {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// CloudFormation reads YAML 1.1: a plain OFF is a bool there, and an account
// number with a leading zero an octal one.
func TestTextThatLooksLikeSomethingElseIsQuoted(t *testing.T) {
	for in, want := range map[string]string{
		"OFF": "\"OFF\"\n", "no": "\"no\"\n", "true": "\"true\"\n", "012345678901": "\"012345678901\"\n",
		"2012-10-17": "\"2012-10-17\"\n", "*": "'*'\n", "a: b": "'a: b'\n", "": "\"\"\n", "plain": "plain\n",
		"two\nlines\n": "|\n  two\n  lines\n",
	} {
		if got := yamlOf(t, in); strings.ReplaceAll(got, "    ", "  ") != want {
			t.Errorf("%q is written %q, want %q", in, got, want)
		}
	}
}

func TestCommentsStandAboveWhatTheySay(t *testing.T) {
	got := yamlOf(t, map[string]any{"List": []any{map[string]any{commentKey: "of the item", "A": 1}},
		"Map": map[string]any{commentKey: "of the map", "A": 1}})
	const want = "List:\n  # of the item\n  - A: 1\n# of the map\nMap:\n  A: 1\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPropertiesBeyondTheLibrarysTypes(t *testing.T) {
	got := yamlOf(t, with(&ecs.TaskDefinition{
		ContainerDefinitions: []ecs.TaskDefinition_ContainerDefinition{{Name: "a"}, {Name: "b"}},
	}, properties{
		"ContainerDefinitions.1.ReadonlyRootFilesystem": either("A", false, true),
		"New.Deep":          cfn.Ref("B"),
		"Cpu":               cfn.Ref("TaskCpu"),
		"RuntimePlatform.X": 1,
	}))
	const want = `Properties:
  ContainerDefinitions:
    - Image: ""
      Name: a
    - Image: ""
      Name: b
      ReadonlyRootFilesystem: !If [A, false, true]
  Cpu: !Ref TaskCpu
  New:
    Deep: !Ref B
  RuntimePlatform:
    X: 1
Type: AWS::ECS::TaskDefinition
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPropertyPathsThatLeadNowhereAreErrors(t *testing.T) {
	for _, path := range []string{"ContainerDefinitions.1.Name", "ContainerDefinitions.x.Name", "Family.Name"} {
		_, err := nodeOf(with(&ecs.TaskDefinition{
			Family: new("f"), ContainerDefinitions: []ecs.TaskDefinition_ContainerDefinition{{Name: "a"}},
		}, properties{path: 1}))
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("path %s: error %v does not name it", path, err)
		}
	}
}

func TestRenderReportsABrokenResource(t *testing.T) {
	s := build(archX86)
	s.resource("Broken", with(&sqs.Queue{QueueName: new("q")}, properties{"QueueName.Inner": 1}))
	var out strings.Builder
	if err := s.render(&out); err == nil || !strings.Contains(err.Error(), "QueueName.Inner") {
		t.Errorf("render says %v", err)
	}
	if out.Len() > 0 {
		t.Error("half a template was written")
	}
}
