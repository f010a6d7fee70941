// Package resources makes the CloudFormation resources that the emulator cannot make, through the APIs that the local
// engine serves: what a template says goes the same way, and is checked the same way, as a call by hand.
//
// A change of a property that CloudFormation documents as "Update requires: Replacement" makes a new resource, whose
// physical id differs; the emulator deletes the old one when the update of the stack has succeeded.
package resources

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sqs-dynamic-target-tracking/internal/localcloud/ministack"
	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// kind is one type of resource.
type kind struct {
	// fixed are the properties whose change needs a new resource.
	fixed []string
	// put makes the resource, or changes the one with the request's physical id when that is not empty.
	put func(context.Context, ministack.ResourceRequest) (ministack.ResourceResult, error)
	// remove deletes it. It is no error when the resource is gone.
	remove func(context.Context, ministack.ResourceRequest) error
}

// Maker makes resources.
type Maker struct {
	kinds map[string]kind
}

// New returns a maker that calls the APIs of an endpoint as config says.
func New(config aws.Config) *Maker {
	kinds := map[string]kind{}
	addScaling(kinds, config)
	addAlarms(kinds, config)
	addNetwork(kinds, config)
	addCapacityProviders(kinds, config)
	addTaskDefinitions(kinds, config)
	addRecords(kinds)
	return &Maker{kinds}
}

// Types are the CloudFormation types that a maker makes.
func Types() []string {
	var types []string
	for name := range New(aws.Config{}).kinds {
		types = append(types, name)
	}
	slices.Sort(types)
	return types
}

// Resource makes, changes or deletes a resource.
func (m *Maker) Resource(ctx context.Context, r ministack.ResourceRequest) (ministack.ResourceResult, error) {
	k, ok := m.kinds[r.Type]
	if !ok {
		return ministack.ResourceResult{}, fmt.Errorf("%s is not made here", r.Type)
	}
	switch r.Step {
	case "create":
		r.PhysicalID = ""
		return k.put(ctx, r)
	case "update":
		if changed(r, k.fixed) {
			r.PhysicalID = ""
		}
		return k.put(ctx, r)
	case "delete":
		return ministack.ResourceResult{}, k.remove(ctx, r)
	}
	return ministack.ResourceResult{}, fmt.Errorf("%s: unknown step %q", r.Type, r.Step)
}

// changed tells whether one of the named properties differs between old and new.
func changed(r ministack.ResourceRequest, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return !reflect.DeepEqual(r.Properties[name], r.OldProperties[name])
	})
}

// assign fills an API's input from the properties, which have the names of its members.
func assign(input any, r ministack.ResourceRequest) error {
	if err := wire.Assign(input, r.Properties); err != nil {
		return fmt.Errorf("properties of %s: %w", r.LogicalID, err)
	}
	return nil
}

// text is a property that is a string, "" when it is absent.
func text(properties map[string]any, name string) string {
	s, _ := properties[name].(string)
	return s
}

// generatedName is a name as CloudFormation makes it up: <stack>-<logical id>-<random>.
func generatedName(r ministack.ResourceRequest) string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	return r.StackName + "-" + r.LogicalID + "-" + hex.EncodeToString(random[:])
}
