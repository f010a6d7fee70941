package wire

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

var timeType = reflect.TypeFor[time.Time]()

// assign fills the structure that target points to from a tree. Members that the structure does not have are ignored,
// as AWS does; a member of the wrong kind is a SerializationException.
func assign(target, tree any) error {
	err := assignValue(reflect.ValueOf(target).Elem(), tree, "")
	if err != nil {
		return &Fault{Code: "SerializationException", QueryCode: "MalformedInput", Message: err.Error()}
	}
	return nil
}

func assignValue(to reflect.Value, tree any, path string) error {
	if tree == nil {
		return nil
	}
	if to.Type() == timeType {
		t, err := timeOf(tree, path)
		to.Set(reflect.ValueOf(t))
		return err
	}
	switch to.Kind() {
	case reflect.Pointer:
		p := reflect.New(to.Type().Elem())
		if err := assignValue(p.Elem(), tree, path); err != nil {
			return err
		}
		to.Set(p)
		return nil
	case reflect.Struct:
		return assignStruct(to, tree, path)
	case reflect.Slice:
		return assignSlice(to, tree, path)
	case reflect.Map:
		return assignMap(to, tree, path)
	case reflect.Interface:
		return nil // unions of newer features (PromQL alarms, wall-clock windows), which the local engine does not have
	default:
		return assignScalar(to, tree, path)
	}
}

func assignStruct(to reflect.Value, tree any, path string) error {
	members, ok := tree.(map[string]any)
	if !ok {
		return mismatch(tree, "a structure", path)
	}
	for i := range to.NumField() {
		field := to.Type().Field(i)
		value, present := members[field.Name]
		if !present || !isMember(field) {
			continue
		}
		if err := assignValue(to.Field(i), value, join(path, field.Name)); err != nil {
			return err
		}
	}
	return nil
}

func assignSlice(to reflect.Value, tree any, path string) error {
	list, ok := listOf(tree)
	if !ok {
		return mismatch(tree, "a list", path)
	}
	s := reflect.MakeSlice(to.Type(), len(list), len(list))
	for i, v := range list {
		if err := assignValue(s.Index(i), v, join(path, strconv.Itoa(i+1))); err != nil {
			return err
		}
	}
	to.Set(s)
	return nil
}

// listOf reads a list, or what the query protocol has for one: {"member": {"1": ..., "2": ...}} or "".
func listOf(tree any) ([]any, bool) {
	switch t := tree.(type) {
	case []any:
		return t, true
	case string:
		return nil, t == ""
	case map[string]any:
		if inner, ok := t["member"].(map[string]any); ok {
			t = inner
		}
		return inOrder(t)
	}
	return nil, false
}

func inOrder(m map[string]any) ([]any, bool) {
	indices := make([]int, 0, len(m))
	for k := range m {
		n, err := strconv.Atoi(k)
		if err != nil {
			return nil, false
		}
		indices = append(indices, n)
	}
	slices.Sort(indices)
	list := make([]any, len(indices))
	for i, n := range indices {
		list[i] = m[strconv.Itoa(n)]
	}
	return list, true
}

func assignMap(to reflect.Value, tree any, path string) error {
	entries, ok := tree.(map[string]any)
	if !ok {
		return mismatch(tree, "a map", path)
	}
	if inner, query := entries["entry"].(map[string]any); query && len(entries) == 1 {
		entries = queryEntries(inner)
	}
	m := reflect.MakeMapWithSize(to.Type(), len(entries))
	for k, v := range entries {
		value := reflect.New(to.Type().Elem()).Elem()
		if err := assignValue(value, v, join(path, k)); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(k), value)
	}
	to.Set(m)
	return nil
}

func queryEntries(inner map[string]any) map[string]any {
	entries := map[string]any{}
	for _, e := range inner {
		if pair, ok := e.(map[string]any); ok {
			key, _ := pair["key"].(string)
			entries[key] = pair["value"]
		}
	}
	return entries
}

func assignScalar(to reflect.Value, tree any, path string) error {
	switch to.Kind() {
	case reflect.String:
		s, ok := tree.(string)
		if !ok {
			return mismatch(tree, "a String", path)
		}
		to.SetString(s)
	case reflect.Bool:
		b, ok := boolOf(tree)
		if !ok {
			return mismatch(tree, "a Boolean", path)
		}
		to.SetBool(b)
	case reflect.Int32, reflect.Int64, reflect.Int:
		n, ok := floatOf(tree)
		if !ok || n != math.Trunc(n) || to.OverflowInt(int64(n)) {
			return mismatch(tree, "an Integer", path)
		}
		to.SetInt(int64(n))
	case reflect.Float64, reflect.Float32:
		n, ok := floatOf(tree)
		if !ok {
			return mismatch(tree, "a Double", path)
		}
		to.SetFloat(n)
	default:
		return fmt.Errorf("member %s has the kind %s, which is not supported", path, to.Kind())
	}
	return nil
}

func boolOf(tree any) (value, ok bool) {
	switch t := tree.(type) {
	case bool:
		return t, true
	case string:
		return t == "true", t == "true" || t == "false"
	}
	return false, false
}

// floatOf reads any number. Strings come from the query protocol and, for what JSON cannot say, as "NaN" or
// "Infinity".
func floatOf(tree any) (float64, bool) {
	switch t := tree.(type) {
	case float64:
		return t, true
	case float32:
		return float64(t), true
	case int64:
		return float64(t), true
	case uint64:
		return float64(t), true
	case string:
		f, err := strconv.ParseFloat(t, 64)
		return f, err == nil
	}
	return 0, false
}

func timeOf(tree any, path string) (time.Time, error) {
	if t, ok := tree.(time.Time); ok {
		return t.UTC(), nil
	}
	if s, ok := tree.(string); ok {
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.UTC(), nil
			}
		}
	}
	seconds, ok := floatOf(tree)
	if !ok {
		return time.Time{}, mismatch(tree, "a timestamp", path)
	}
	return time.UnixMilli(int64(math.Round(seconds * 1000))).UTC(), nil
}

func mismatch(tree any, wanted, path string) error {
	if path == "" {
		path = "the request"
	}
	kind := strings.ToUpper(fmt.Sprintf("%T", tree))
	switch tree.(type) {
	case string:
		kind = "STRING_VALUE"
	case bool:
		kind = "BOOLEAN_VALUE"
	case float64, int64, uint64:
		kind = "NUMBER_VALUE"
	case []any:
		kind = "LIST_VALUE"
	case map[string]any:
		kind = "STRUCTURE_VALUE"
	}
	return fmt.Errorf("%s can not be converted to %s (at %s)", kind, wanted, path)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// isMember tells a structure's members from what the SDK adds to it.
func isMember(f reflect.StructField) bool { return f.IsExported() && f.Name != "ResultMetadata" }
