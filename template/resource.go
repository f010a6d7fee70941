package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
)

// properties are values by path: names, and indexes of lists, joined by dots.
type properties map[string]any

// with sets properties of a resource that the library's type cannot hold: an
// intrinsic function where it has a number or a bool, and what AWS added after
// the library's last release.
func with(r cfn.Resource, p properties) cfn.Resource {
	return patched{Resource: r, properties: p}
}

type patched struct {
	cfn.Resource
	properties properties
}

// MarshalJSON is the resource's own JSON with the properties set in it.
func (p patched) MarshalJSON() ([]byte, error) {
	raw, err := json.Marshal(p.Resource)
	if err != nil {
		return nil, err
	}
	for path, value := range p.properties {
		raw, err = set(raw, append([]string{"Properties"}, strings.Split(path, ".")...), value)
		if err != nil {
			return nil, fmt.Errorf("%s: property %s: %w", p.AWSCloudFormationType(), path, err)
		}
	}
	return raw, nil
}

// set returns the document with the value at the path, which need not exist.
func set(document json.RawMessage, path []string, value any) (json.RawMessage, error) {
	if len(path) == 0 {
		return json.Marshal(value)
	}
	if len(document) > 0 && document[0] == '[' {
		return setItem(document, path, value)
	}
	fields := map[string]json.RawMessage{}
	if len(document) > 0 {
		if err := json.Unmarshal(document, &fields); err != nil {
			return nil, err
		}
	}
	inner, err := set(fields[path[0]], path[1:], value)
	if err != nil {
		return nil, err
	}
	fields[path[0]] = inner
	return json.Marshal(fields)
}

func setItem(document json.RawMessage, path []string, value any) (json.RawMessage, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(document, &items); err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 || i >= len(items) {
		return nil, fmt.Errorf("%q is not the index of one of %d items", path[0], len(items))
	}
	if items[i], err = set(items[i], path[1:], value); err != nil {
		return nil, err
	}
	return json.Marshal(items)
}

// customResource is a resource that a function of this stack answers for. (The
// library's type always writes a Version, which a custom resource has not.)
type customResource struct {
	kind       string // without "Custom::"
	function   string // logical id
	properties map[string]any
	condition  string
}

// AWSCloudFormationType makes it a resource.
func (r customResource) AWSCloudFormationType() string { return "Custom::" + r.kind }

// MarshalJSON writes it with the token that names its function.
func (r customResource) MarshalJSON() ([]byte, error) {
	all := map[string]any{"ServiceToken": cfn.GetAtt(r.function, "Arn")}
	for name, value := range r.properties {
		all[name] = value
	}
	resource := map[string]any{"Type": r.AWSCloudFormationType(), "Properties": all}
	if r.condition != "" {
		resource["Condition"] = r.condition
	}
	return json.Marshal(resource)
}

// bare is a block of the template without a type: the defaults of functions.
type bare map[string]any

// AWSCloudFormationType lets it stand where the library wants a resource.
func (bare) AWSCloudFormationType() string { return "" }
