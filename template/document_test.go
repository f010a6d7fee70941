package main

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// document is a committed template as CloudFormation would read it: maps, lists
// and plain values, with intrinsic functions in their long form. It is read
// with a YAML parser and not with the library that wrote it, which would
// evaluate the functions.
type document map[string]any

func committed(t *testing.T) document {
	t.Helper()
	raw, err := os.ReadFile("../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, raw)
}

func parse(t *testing.T, raw []byte) document {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	value, ok := plain(t, root.Content[0]).(map[string]any)
	if !ok {
		t.Fatal("the template is not a map")
	}
	return value
}

// plain is the value of a node, with !X made {"Fn::X": ...}.
func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	if tag := n.Tag; strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") {
		inner := *n
		inner.Tag = map[yaml.Kind]string{
			yaml.ScalarNode: "!!str", yaml.SequenceNode: "!!seq", yaml.MappingNode: "!!map",
		}[n.Kind]
		name := strings.TrimPrefix(tag, "!")
		argument := plain(t, &inner)
		switch name {
		case "Ref", "Condition":
			return map[string]any{name: argument}
		case "GetAtt":
			id, attribute, _ := strings.Cut(argument.(string), ".")
			argument = []any{id, attribute}
		}
		return map[string]any{"Fn::" + name: argument}
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, double := m[key]; double {
				t.Fatalf("line %d: %s is there twice", n.Content[i].Line, key)
			}
			m[key] = plain(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plain(t, c))
		}
		return list
	default:
		var v any
		if err := n.Decode(&v); err != nil {
			t.Fatalf("line %d: %v", n.Line, err)
		}
		return v
	}
}

// section is a top-level map.
func (d document) section(name string) map[string]any {
	m, _ := d[name].(map[string]any)
	return m
}

// resource is one resource; it must be there.
func (d document) resource(t *testing.T, id string) map[string]any {
	t.Helper()
	r, ok := d.section("Resources")[id].(map[string]any)
	if !ok {
		t.Fatalf("there is no resource %s", id)
	}
	return r
}

// property is a property of a resource by path, nil when there is none.
func (d document) property(t *testing.T, id, path string) any {
	t.Helper()
	return at(d.resource(t, id)["Properties"], path)
}

// ofType lists the ids of the resources of a type, sorted.
func (d document) ofType(kind string) []string {
	var ids []string
	for id, r := range d.section("Resources") {
		if r.(map[string]any)["Type"] == kind {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// at follows a path of names and indexes.
func at(value any, path string) any {
	if path == "" {
		return value
	}
	head, rest, _ := strings.Cut(path, ".")
	switch v := value.(type) {
	case map[string]any:
		return at(v[head], rest)
	case []any:
		if i, err := strconv.Atoi(head); err == nil && i < len(v) {
			return at(v[i], rest)
		}
	}
	return nil
}

// walk visits every value below and including v.
func walk(v any, visit func(any)) {
	visit(v)
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			walk(inner, visit)
		}
	case []any:
		for _, inner := range v {
			walk(inner, visit)
		}
	}
}

var variable = regexp.MustCompile(`\$\{([^!}][^}]*)\}`)

// references lists what a value refers to: logical ids, parameters and pseudo
// parameters.
func references(v any) []string {
	found := map[string]bool{}
	walk(v, func(v any) {
		m, _ := v.(map[string]any)
		if name, ok := m["Ref"].(string); ok {
			found[name] = true
		}
		if pair, ok := m["Fn::GetAtt"].([]any); ok {
			found[pair[0].(string)] = true
		}
		text, own := subText(m)
		for _, match := range variable.FindAllStringSubmatch(text, -1) {
			if name, _, _ := strings.Cut(match[1], "."); own[match[1]] == nil {
				found[name] = true
			}
		}
	})
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// subText takes an Fn::Sub apart.
func subText(m map[string]any) (text string, own map[string]any) {
	switch sub := m["Fn::Sub"].(type) {
	case string:
		return sub, nil
	case []any:
		text, _ = sub[0].(string)
		own, _ = sub[1].(map[string]any)
	}
	return text, own
}

// list is a value that may be one or several.
func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// show is a value in one line, for comparing and for messages.
func show(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Intrinsic functions as the document has them.

func ref(name string) any { return map[string]any{"Ref": name} }

func attribute(id, name string) any { return map[string]any{"Fn::GetAtt": []any{id, name}} }
