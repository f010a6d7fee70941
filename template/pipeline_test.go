package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"sqs-dynamic-target-tracking/internal/verify"
)

// step is an action of the pipeline, as CodePipeline runs it.
type step struct {
	stage, order  int
	name          string
	provider      string // category, owner and provider
	configuration map[string]any
	inputs        []string
	outputs       []string
	namespace     string
}

// pipelineSteps are the actions with or without a connection, in the order in which they run.
func pipelineSteps(t *testing.T, d document, connection bool) []step {
	t.Helper()
	stages := d.property(t, "Pipeline", "Stages")
	if connection {
		stages = withBranch(stages, usesConnection)
	} else {
		stages = withoutBranch(stages, usesConnection)
	}
	var steps []step
	for i, stage := range list(stages) {
		want(t, "rollback of the stage", at(stage, "OnFailure"), nil)
		for _, a := range list(at(stage, "Actions")) {
			s := step{
				stage: i, order: at(a, "RunOrder").(int), name: at(a, "Name").(string),
				provider: fmt.Sprintf("%v %v %v", at(a, "ActionTypeId.Category"), at(a, "ActionTypeId.Owner"),
					at(a, "ActionTypeId.Provider")),
			}
			s.configuration, _ = at(a, "Configuration").(map[string]any)
			s.namespace, _ = at(a, "Namespace").(string)
			for _, artifact := range list(at(a, "InputArtifacts")) {
				s.inputs = append(s.inputs, at(artifact, "Name").(string))
			}
			for _, artifact := range list(at(a, "OutputArtifacts")) {
				s.outputs = append(s.outputs, at(artifact, "Name").(string))
			}
			steps = append(steps, s)
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.stage*100 + a.order - b.stage*100 - b.order })
	return steps
}

// withBranch is the value as it is where the condition holds.
func withBranch(v any, condition string) any {
	switch v := v.(type) {
	case map[string]any:
		if branch, ok := v["Fn::If"].([]any); ok && branch[0] == condition {
			return withBranch(branch[1], condition)
		}
		out := map[string]any{}
		for key, inner := range v {
			out[key] = withBranch(inner, condition)
		}
		return out
	case []any:
		var out []any
		for _, inner := range v {
			out = append(out, withBranch(inner, condition))
		}
		return out
	}
	return v
}

func TestPipelineTakesAPushToAProvenDeployment(t *testing.T) {
	d := committed(t)
	for connection, source := range map[bool]string{
		true: "Source AWS CodeStarSourceConnection", false: "Source ThirdParty GitHub",
	} {
		var order []string
		steps := pipelineSteps(t, d, connection)
		for i, s := range steps {
			if i > 0 && s.stage == steps[i-1].stage && s.order == steps[i-1].order {
				t.Errorf("%s does not wait for %s", s.name, steps[i-1].name)
			}
			order = append(order, s.name+": "+s.provider)
		}
		want(t, "actions", order, []string{
			"Source: " + source, "Build: Build AWS CodeBuild", "Deploy: Deploy AWS ECS",
			"Verify: Invoke AWS StepFunctions",
		})
	}
	want(t, "type", d.property(t, "Pipeline", "PipelineType"), "V2")
	want(t, "a push while another is being proven", d.property(t, "Pipeline", "ExecutionMode"), "QUEUED")
	want(t, "artifacts", d.property(t, "Pipeline", "ArtifactStore.Location"), ref("ArtifactBucket"))
}

// What an action reads, one before it has written: artifacts, files in them, variables.
func TestPipelineHandsOnWhatItsActionsRead(t *testing.T) {
	d := committed(t)
	variables := regexp.MustCompile(`#\{(\w+)\.`)
	spec := readBuildspec(t)
	for _, connection := range []bool{true, false} {
		written, namespaces := map[string]int{}, map[string]bool{"codepipeline": true}
		read := map[string]bool{}
		for _, s := range pipelineSteps(t, d, connection) {
			for _, name := range s.inputs {
				read[name] = true
				if before, ok := written[name]; !ok || before >= s.stage*100+s.order {
					t.Errorf("%s reads the artifact %s, which nobody has written before", s.name, name)
				}
			}
			for _, match := range variables.FindAllStringSubmatch(show(t, s.configuration), -1) {
				if !namespaces[match[1]] {
					t.Errorf("%s uses a variable of %s, which is no namespace of an action before", s.name, match[1])
				}
			}
			if s.namespace != "" {
				namespaces[s.namespace] = true
			}
			for _, name := range s.outputs {
				if _, twice := written[name]; twice {
					t.Errorf("%s writes the artifact %s once more", s.name, name)
				}
				written[name] = s.stage*100 + s.order
			}
			for _, file := range []string{"FileName", "Input"} {
				if name, ok := s.configuration[file].(string); ok {
					want(t, s.name+" reads from", s.inputs, []string{buildArtifact})
					if !slices.Contains(spec.Artifacts.Files, name) {
						t.Errorf("%s reads %s, the build hands on %v", s.name, name, spec.Artifacts.Files)
					}
				}
			}
		}
		for name := range written {
			if !read[name] {
				t.Errorf("nobody reads the artifact %s", name)
			}
		}
	}
}

// The actions act on this stack's resources.
func TestPipelineDeploysTheServiceOfTheStack(t *testing.T) {
	d := committed(t)
	for _, s := range pipelineSteps(t, d, true) {
		switch s.name {
		case buildAction:
			want(t, "project", s.configuration["ProjectName"], ref("BuildProject"))
		case deployAction:
			want(t, "cluster", s.configuration["ClusterName"],
				map[string]any{"Fn::If": []any{"MakeCluster", ref("Cluster"), ref("ClusterName")}})
			want(t, "service", s.configuration["ServiceName"], attribute("Service", "Name"))
			if s.configuration["DeploymentTimeout"] == nil {
				t.Error("a rollout that ECS has given up holds the pipeline for an hour")
			}
		case verifyAction:
			want(t, "machine", s.configuration["StateMachineArn"], ref(machineID(verifyMachine)))
			want(t, "input", s.configuration["InputType"], "FilePath")
		}
	}
	want(t, "built into", buildVariables(t, d)["REPOSITORY_URI"], attribute("WorkerRepository", "RepositoryUri"))
	want(t, "container", buildVariables(t, d)["CONTAINER_NAME"],
		d.property(t, "TaskDefinition", "ContainerDefinitions.0.Name"))
}

// buildspec is as much of worker/buildspec.yml as has to fit the project. (scripts/image runs its commands.)
type buildspec struct {
	Env    struct{ Variables map[string]string }
	Phases map[string]struct {
		Runtimes map[string]string `yaml:"runtime-versions"`
		Commands []string
	}
	Artifacts struct{ Files []string }
	Cache     struct{ Paths []string }
}

func readBuildspec(t *testing.T) buildspec {
	t.Helper()
	name, _ := committed(t).property(t, "BuildProject", "Source.BuildSpec").(string)
	raw, err := os.ReadFile("../" + name)
	if err != nil {
		t.Fatal(err)
	}
	var spec buildspec
	if err := yaml.Unmarshal(raw, &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

func buildVariables(t *testing.T, d document) map[string]any {
	t.Helper()
	variables := map[string]any{}
	for _, v := range list(d.property(t, "BuildProject", "Environment.EnvironmentVariables")) {
		want(t, "type of a variable", at(v, "Type"), nil) // plain text
		variables[at(v, "Name").(string)] = at(v, "Value")
	}
	return variables
}

func TestBuildspecGetsTheVariablesThatItReads(t *testing.T) {
	d, spec := committed(t), readBuildspec(t)
	given := buildVariables(t, d)
	used := map[string]bool{}
	for _, phase := range spec.Phases {
		for _, command := range phase.Commands {
			for _, match := range regexp.MustCompile(`\$\{?([A-Z_]+)`).FindAllStringSubmatch(command, -1) {
				used[match[1]] = true
			}
		}
	}
	for name := range used {
		_, own := spec.Env.Variables[name]
		if !own && given[name] == nil && !strings.HasPrefix(name, "CODEBUILD_") {
			t.Errorf("the build reads %s, which nobody sets", name)
		}
	}
	for name := range given {
		if !used[name] {
			t.Errorf("the build does not read %s", name)
		}
	}
	for name, value := range spec.Env.Variables {
		if given[name] != nil {
			want(t, "the two values of "+name, any(value), given[name])
		}
	}
	want(t, "cache", d.property(t, "BuildProject", "Cache.Modes"), []any{"LOCAL_CUSTOM_CACHE"})
	cached := []string{spec.Env.Variables["GOMODCACHE"] + "/**/*", spec.Env.Variables["GOCACHE"] + "/**/*"}
	want(t, "cached", spec.Cache.Paths, cached)
	want(t, "privileged", d.property(t, "BuildProject", "Environment.PrivilegedMode"), false)
}

func TestBuildRunsOnTheProcessorOfTheTasks(t *testing.T) {
	for arch, image := range map[string]string{archX86: "LINUX_CONTAINER x86_64", archARM: "ARM_CONTAINER aarch64"} {
		d := parse(t, []byte(rendered(t, arch)))
		kind, processor, _ := strings.Cut(image, " ")
		want(t, "type", d.property(t, "BuildProject", "Environment.Type"), kind)
		if name := d.property(t, "BuildProject", "Environment.Image").(string); !strings.Contains(name, processor) {
			t.Errorf("the image of %s is %s", arch, name)
		}
	}
}

// What each kind of action needs of the pipeline's role.
var actionNeeds = map[string][]grant{
	"Source AWS CodeStarSourceConnection": {
		{"codeconnections:UseConnection", "ConnectionArn"}, {"codestar-connections:UseConnection", "ConnectionArn"},
		{"s3:PutObjectAcl", "${ArtifactBucket.Arn}/*"}, // else: "Upload to S3 failed"
	},
	"Source ThirdParty GitHub": nil, // has its token
	"Build AWS CodeBuild": {
		{"codebuild:BatchGetBuilds", "BuildProject"}, {"codebuild:StartBuild", "BuildProject"},
	},
	"Deploy AWS ECS": {
		{"ecs:DescribeServices", "Service"}, {"ecs:UpdateService", "Service"},
		{"ecs:DescribeTaskDefinition", anything}, {"ecs:RegisterTaskDefinition", anything},
		{"ecs:TagResource", "ecs" + here + "task-definition/${AWS::StackName}-worker:*"},
		{"ecs:DescribeTasks", "ecs" + here + "task/${Cluster}/*"}, {"ecs:ListTasks", anything},
		{"iam:PassRole", "TaskRole"}, {"iam:PassRole", "ExecutionRole"},
	},
	"Invoke AWS StepFunctions": {
		{"states:DescribeStateMachine", "VerifyStateMachine"}, {"states:StartExecution", "VerifyStateMachine"},
		{"states:DescribeExecution", "states" + here + "execution:${AWS::StackName}-verify:*"},
	},
}

var artifactNeeds = []grant{
	{"s3:GetBucketAcl", "ArtifactBucket"}, {"s3:GetBucketLocation", "ArtifactBucket"},
	{"s3:GetBucketVersioning", "ArtifactBucket"}, {"s3:GetObject", "${ArtifactBucket.Arn}/*"},
	{"s3:GetObjectVersion", "${ArtifactBucket.Arn}/*"}, {"s3:PutObject", "${ArtifactBucket.Arn}/*"},
}

func TestPipelineRoleFitsItsActions(t *testing.T) {
	d := committed(t)
	needed := map[grant]bool{}
	for _, g := range artifactNeeds {
		needed[g] = true
	}
	for _, s := range slices.Concat(pipelineSteps(t, d, true), pipelineSteps(t, d, false)) {
		needs, known := actionNeeds[s.provider]
		if !known {
			t.Fatalf("%s: nothing here says what role %q needs", s.name, s.provider)
		}
		for _, g := range needs {
			needed[g] = true
		}
	}
	allowed := map[grant]bool{}
	for _, g := range grants(t, d, "PipelineRole") {
		allowed[g] = true
	}
	compare(t, "PipelineRole", allowed, needed)
	assumedBy(t, d, "PipelineRole", pipelineService)
	assumedBy(t, d, "BuildRole", buildService)
}

func TestPipelineIsMadeOnlyWithARepository(t *testing.T) {
	d := committed(t)
	for _, id := range []string{
		"ArtifactBucket", "ArtifactBucketPolicy", "BuildLogGroup", "BuildRole", "BuildProject", "PipelineRole",
		"Pipeline", "PipelineSucceededRule", "PipelineActionFailedRule", "VerificationNotStartedRule",
		"DeployFailedRule", "DeployFailedRuleRole",
	} {
		want(t, id+": condition", d.resource(t, id)["Condition"], hasPipeline)
	}
	want(t, "owner by default", at(d.section("Parameters")["RepositoryOwner"], "Default"), "")
	want(t, "secret by default", at(d.section("Parameters")["GitHubTokenSecret"], "Default"), "ecs-github-token")
	want(t, "branch by default", at(d.section("Parameters")["RepositoryBranch"], "Default"), "main")
}

func TestArtifactBucket(t *testing.T) {
	d := committed(t)
	want(t, "buckets", d.ofType("AWS::S3::Bucket"), []string{"ArtifactBucket"})
	bucket := d.resource(t, "ArtifactBucket")["Properties"]
	want(t, "encryption", at(bucket, "BucketEncryption.ServerSideEncryptionConfiguration.0."+
		"ServerSideEncryptionByDefault.SSEAlgorithm"), "AES256")
	for name, value := range at(bucket, "PublicAccessBlockConfiguration").(map[string]any) {
		want(t, name, value, true)
	}
	want(t, "emptied", at(bucket, "LifecycleConfiguration.Rules.0.ExpirationInDays"), 30)
	deny := d.property(t, "ArtifactBucketPolicy", "PolicyDocument.Statement.0")
	want(t, "effect", at(deny, "Effect"), "Deny")
	want(t, "without TLS", at(deny, "Condition.Bool.aws:SecureTransport"), "false")
	want(t, "of", at(deny, "Resource"),
		[]any{attribute("ArtifactBucket", "Arn"), map[string]any{"Fn::Sub": "${ArtifactBucket.Arn}/*"}})
}

// A push of documents alone starts nothing; one of anything that is tested or enters the image does.
func TestDocumentsDoNotStartThePipeline(t *testing.T) {
	d := committed(t)
	push := at(withBranch(d.property(t, "Pipeline", "Triggers"), usesConnection), "0.GitConfiguration.Push.0")
	want(t, "branches", at(push, "Branches.Includes"), []any{ref("RepositoryBranch")})
	want(t, "exceptions", at(push, "FilePaths.Excludes"), nil)
	var patterns []*regexp.Regexp
	for _, glob := range list(at(push, "FilePaths.Includes")) {
		pattern := regexp.QuoteMeta(glob.(string))
		pattern = strings.NewReplacer(`\*\*/`, `(.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`).Replace(pattern)
		patterns = append(patterns, regexp.MustCompile("^"+pattern+"$"))
	}
	if len(patterns) > 8 {
		t.Errorf("CodePipeline takes 8 patterns, not %d", len(patterns))
	}
	for file, starts := range map[string]bool{
		"README.md": false, "CONTRIBUTING.md": false, "docs/tuning.md": false, "docs/a.svg": false,
		"worker/handler.go": true, "worker/buildspec.yml": true, "go.sum": true, "template.yaml": true,
		"internal/consumer/run.go": true, "internal/workerimage/zoneinfo.zip": true, "scripts/image/run.go": true,
	} {
		got := slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(file) })
		if got != starts {
			t.Errorf("a push of %s starts the pipeline: %t, want %t", file, got, starts)
		}
	}
	want(t, "without a connection", at(d.property(t, "Pipeline", "Triggers"), "Fn::If.2"), ref("AWS::NoValue"))
}

// GitHub v1 OAuth source (deprecated, polling, token in state); CodeBuild image and runtime out of support.
func TestDefect17SourceByConnectionAndSupportedBuild(t *testing.T) {
	d := committed(t)
	// With a connection there is no token: neither in the template nor in what CloudFormation makes of it.
	for id, r := range d.section("Resources") {
		if text := show(t, withBranch(r, usesConnection)); strings.Contains(text, "{{resolve:") ||
			strings.Contains(text, "GitHubTokenSecret") {
			t.Errorf("%s reads a secret even with a connection", id)
		}
	}
	// Without one the template names the secret and never holds it.
	var tokens []any
	walk(d.property(t, "Pipeline", "Stages"), func(v any) {
		if token := at(v, "OAuthToken"); token != nil {
			tokens = append(tokens, token)
		}
	})
	want(t, "tokens", tokens, []any{map[string]any{"Fn::Sub": "{{resolve:secretsmanager:${GitHubTokenSecret}}}"}})
	for name := range d.section("Parameters") {
		if strings.HasSuffix(name, "Token") || strings.HasSuffix(name, "Password") {
			t.Errorf("the parameter %s would keep a secret with the stack", name)
		}
	}
	if text, _ := at(d.section("Parameters")["GitHubTokenSecret"], "Description").(string); !strings.Contains(text,
		"Deprecated") {
		t.Error("nobody says that the token is deprecated")
	}
	for _, s := range pipelineSteps(t, d, true) {
		if polls := s.configuration["PollForSourceChanges"]; polls != nil {
			t.Errorf("%s polls with a connection", s.name)
		}
	}

	want(t, "build image", d.property(t, "BuildProject", "Environment.Image"),
		"aws/codebuild/amazonlinux-x86_64-standard:5.0") // Amazon Linux 2023
	// Which Go, go.mod says: a version named here would not be on every build image, and would age.
	spec := readBuildspec(t)
	want(t, "Go of the build image", spec.Phases["install"].Runtimes["golang"], "latest")
	want(t, "Go of the build", spec.Env.Variables["GOTOOLCHAIN"], "auto")
}

// The updater's failure notified nobody; the topic had no subscriber.
func TestDefect19EveryBadEndIsTold(t *testing.T) {
	d := committed(t)
	topic := ref("NotificationTopic")
	want(t, "subscriber", d.property(t, "NotificationSubscription", "Endpoint"), ref("NotificationEmail"))
	want(t, "subscribed to", d.property(t, "NotificationSubscription", "TopicArn"), topic)
	for _, machine := range d.ofType("AWS::Serverless::StateMachine") {
		text, _ := definition(t, d, machine)
		if machine == machineID(bandMachine) {
			want(t, "told of the band", d.property(t, "BandFailedAlarm", "AlarmActions"), []any{topic})
			continue // runs each minute
		}
		if !strings.Contains(text, "${NotificationTopicArn}") {
			t.Errorf("%s tells nobody when it fails", machine)
		}
	}
	told := map[string]any{}
	for _, id := range d.ofType("AWS::Events::Rule") {
		if target := d.property(t, id, "Targets.0"); reflect.DeepEqual(at(target, "Arn"), topic) {
			told[id] = at(target, "InputTransformer.InputTemplate")
		}
	}
	want(t, "what is told of deployments", slices.Sorted(maps.Keys(told)), []string{
		"PipelineActionFailedRule", "PipelineSucceededRule", "RolloutFailedRule", "VerificationNotStartedRule",
	})
}

// Rules let events through to the topic as texts, each failure once.
func TestDeploymentEventsAreToldAsTexts(t *testing.T) {
	d := committed(t)
	placeholder := regexp.MustCompile(`<([a-z]+)>`)
	for _, id := range []string{
		"PipelineActionFailedRule", "PipelineSucceededRule", "RolloutFailedRule", "VerificationNotStartedRule",
	} {
		transformer := d.property(t, id, "Targets.0.InputTransformer")
		values := at(transformer, "InputPathsMap").(map[string]any)
		text, _ := subText(at(transformer, "InputTemplate").(map[string]any))
		used := map[string]bool{}
		for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
			used[match[1]] = true
			if values[match[1]] == nil {
				t.Errorf("%s: <%s> is no value of the event", id, match[1])
			}
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			if strings.Count(line, `"`) != 2 || line[0] != '"' || line[len(line)-1] != '"' {
				t.Errorf("%s: %s is not one quoted string, which EventBridge wants of each line", id, line)
			}
		}
		if !strings.Contains(text, "https://${AWS::Region}.console.aws.amazon.com/") {
			t.Errorf("%s has no link", id)
		}
		if len(text) > 8192 {
			t.Errorf("%s: a template has at most 8192 characters", id)
		}
	}

	ecs := d.property(t, "RolloutFailedRule", "EventPattern")
	want(t, "service", at(ecs, "resources"), []any{ref("Service")})
	want(t, "event", at(ecs, "detail.eventName"), []any{"SERVICE_DEPLOYMENT_FAILED"})
	want(t, "without a pipeline, too", d.resource(t, "RolloutFailedRule")["Condition"], nil)

	// Every action, the verification only where the machine could not tell; and not the execution on top.
	actions := list(d.property(t, "PipelineActionFailedRule", "EventPattern.detail.action"))
	for _, s := range pipelineSteps(t, d, true) {
		if s.name != verifyAction && !slices.Contains(actions, any(s.name)) {
			t.Errorf("nobody is told that %s failed", s.name)
		}
		if s.name == verifyAction && slices.Contains(actions, any(s.name)) {
			t.Error("what the verification tells is told once more")
		}
	}
	unstarted := d.property(t, "VerificationNotStartedRule", "EventPattern.detail")
	want(t, "action", at(unstarted, "action"), []any{verifyAction})
	want(t, "execution", at(unstarted, "execution-result.external-execution-id"),
		[]any{map[string]any{"exists": false}})
	// A version that runs is verified, also when the action ran out of time before it could be.
	failed := d.property(t, "DeployFailedRule", "EventPattern.detail")
	want(t, "action", at(failed, "action"), []any{deployAction})
	want(t, "state", at(failed, "state"), []any{"FAILED"})
	input, _ := d.property(t, "DeployFailedRule", "Targets.0.Input").(string)
	if _, err := verify.ParseRequest(json.RawMessage(input), verify.Request{Rollout: 1, Soak: 1}); err != nil {
		t.Errorf("the verification refuses %s: %v", input, err)
	}
	want(t, "executions", d.property(t, "PipelineSucceededRule", "EventPattern.detail.state"), []any{"SUCCEEDED"})
	for _, id := range []string{"PipelineActionFailedRule", "PipelineSucceededRule", "VerificationNotStartedRule"} {
		want(t, id+" is of", d.property(t, id, "EventPattern.detail.pipeline"), []any{ref("Pipeline")})
	}
}
