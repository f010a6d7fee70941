package wire

import "reflect"

// Assign fills the structure that target points to (an SDK input) from a tree of the same member names, such as the
// properties of a CloudFormation resource, where numbers and truth values may be strings. Members that the structure
// does not have are ignored.
func Assign(target, tree any) error {
	return assignValue(reflect.ValueOf(target).Elem(), tree, "")
}
