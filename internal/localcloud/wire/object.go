package wire

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// object is a structure or map of an answer: members in their order.
type object []member

type member struct {
	name  string
	value any // object, dictionary, []any, string, bool, int64, float64, time.Time
}

// dictionary is a map with free keys, sorted; it differs from a structure in XML only.
type dictionary []member

// objectOf turns an output (a pointer to an SDK structure, or nil) into a tree. Absent members stay absent.
func objectOf(output any) object {
	v := reflect.ValueOf(output)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return object{}
	}
	o, _ := treeOf(v).(object)
	return o
}

func treeOf(v reflect.Value) any {
	if v.Type() == timeType {
		return v.Interface().(time.Time)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return treeOf(v.Elem())
	case reflect.Struct:
		return membersOf(v)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = treeOf(v.Index(i))
		}
		return list
	case reflect.Map:
		return entriesOf(v)
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	default:
		panic(fmt.Sprintf("wire: cannot answer with a %s", v.Type()))
	}
}

func membersOf(v reflect.Value) object {
	o := object{}
	for i := range v.NumField() {
		if f := v.Type().Field(i); isMember(f) && !absent(v.Field(i)) {
			o = append(o, member{f.Name, treeOf(v.Field(i))})
		}
	}
	return o
}

func entriesOf(v reflect.Value) dictionary {
	d := dictionary{}
	for it := v.MapRange(); it.Next(); {
		d = append(d, member{it.Key().String(), treeOf(it.Value())})
	}
	slices.SortFunc(d, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	return d
}

// absent tells whether a member is left out: nil, or an enum without a value.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return v.IsNil()
	case reflect.Interface:
		return true // unions: see assignValue
	case reflect.String:
		return v.String() == ""
	default:
		return false
	}
}
