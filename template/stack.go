package main

import (
	cfn "github.com/awslabs/goformation/v7/cloudformation"
)

// Values of -arch, as Lambda spells them.
const (
	archX86 = "x86_64"
	archARM = "arm64"
)

// stack collects the template. The library keeps each section in a map; stack
// remembers in which order entries were added, because the template is read
// from top to bottom by people.
type stack struct {
	template *cfn.Template
	rules    map[string]rule // the library knows no Rules section
	arch     string          // archX86 or archARM

	order    map[string][]string // names of each section, as added
	headings map[string]string   // comment above a resource
}

// build makes the whole template for an architecture.
func build(arch string) *stack {
	s := &stack{
		template: cfn.NewTemplate(),
		rules:    map[string]rule{},
		arch:     arch,
		order:    map[string][]string{},
		headings: map[string]string{},
	}
	s.template.Transform = &cfn.Transform{String: new("AWS::Serverless-2016-10-31")}
	s.template.Description = "Runs the jobs of an SQS queue on ECS Fargate with as many tasks as it takes to start " +
		"each within a promised delay, and keeps the scaling targets true to the measured processing duration."

	addParameters(s)
	addRules(s)
	addFunctionDefaults(s)

	addQueue(s)
	addNetwork(s)
	addWorkerImage(s)
	addWorker(s)
	addInitialTargets(s)
	addScaling(s)
	addProduce(s)
	addRetune(s)
	addBand(s)
	addVerify(s)
	addPipeline(s)
	addNotifications(s)
	addDeploymentEvents(s)
	addAlarms(s)
	addDashboard(s)
	addOutputs(s)
	return s
}

// heading puts a comment above the next resource.
func (s *stack) heading(text string) {
	s.headings[nextResource] = text
}

// nextResource is the key of a heading whose resource is not known yet. It
// cannot be a logical id.
const nextResource = ""

func (s *stack) resource(id string, r cfn.Resource) {
	if text, ok := s.headings[nextResource]; ok {
		s.headings[id] = text
		delete(s.headings, nextResource)
	}
	s.template.Resources[id] = r
	s.remember("Resources", id)
}

func (s *stack) condition(name string, expression string) {
	s.template.Conditions[name] = expression
	s.remember("Conditions", name)
}

func (s *stack) mapping(name string, values map[string]any) {
	s.template.Mappings[name] = values
	s.remember("Mappings", name)
}

func (s *stack) rule(name string, r rule) {
	s.rules[name] = r
	s.remember("Rules", name)
}

func (s *stack) output(name, description string, value any) { s.outputIf("", name, description, value) }

// outputIf is there only under a condition.
func (s *stack) outputIf(condition, name, description string, value any) {
	output := cfn.Output{Description: new(description), Value: value}
	if condition != "" {
		output.Condition = &condition
	}
	s.template.Outputs[name] = output
	s.remember("Outputs", name)
}

func (s *stack) parameter(name string, p cfn.Parameter) {
	s.template.Parameters[name] = p
	s.remember("Parameters", name)
}

func (s *stack) remember(section, name string) {
	s.order[section] = append(s.order[section], name)
}
