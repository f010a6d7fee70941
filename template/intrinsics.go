package main

import (
	"encoding/base64"
	"encoding/json"

	cfn "github.com/awslabs/goformation/v7/cloudformation"
)

// The library encodes an intrinsic function as a base64 string, so that it
// fits wherever a string does; render turns it back. Its own helpers are used
// where they are right. These replace the ones that are not: its If makes a
// string of a true or a number, its SubVars writes its variables in random
// order, and it has nothing for a condition inside a condition.

// noValue removes the property that it is the value of.
var noValue = cfn.Ref("AWS::NoValue")

// either is Fn::If: yes when the condition holds, else no.
func either(condition string, yes, no any) string {
	return intrinsic("Fn::If", []any{condition, yes, no})
}

// onlyIf is value when the condition holds, else nothing at all.
func onlyIf(condition string, value any) string {
	return either(condition, value, noValue)
}

// subWith is Fn::Sub with variables of its own.
func subWith(text string, variables map[string]any) string {
	return intrinsic("Fn::Sub", []any{text, variables})
}

// holds refers to another condition inside a condition.
func holds(condition string) string {
	return intrinsic("Condition", condition)
}

// given is the condition that a parameter is not blank.
func given(parameter string) string {
	return cfn.Not([]string{blank(parameter)})
}

// blank is the condition that a parameter is blank.
func blank(parameter string) string {
	return cfn.Equals(cfn.Ref(parameter), "")
}

func intrinsic(name string, argument any) string {
	raw, err := json.Marshal(map[string]any{name: argument})
	if err != nil {
		panic(err) // only literals of this package get here
	}
	return base64.StdEncoding.EncodeToString(raw)
}
