package iam

import (
	"context"
	"errors"
	"testing"
)

type answer struct{ err error }

func (a answer) Authorize(context.Context, Caller, Question) error { return a.err }

func TestAuthorize(t *testing.T) {
	denied := &Denied{Code: "AccessDeniedException", Message: "User: u is not authorized"}
	broken := errors.New("no answer")
	user := Caller{Account: "000000000000", ARN: "arn:aws:iam::000000000000:user/u", AccessKey: "AKIA"}
	tests := []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"nobody said who calls", t.Context(), nil},
		{"root may everything", WithCaller(t.Context(), Root("000000000000", "us-east-1"), answer{denied}), nil},
		{"allowed", WithCaller(t.Context(), user, answer{}), nil},
		{"denied", WithCaller(t.Context(), user, answer{denied}), denied},
		{"the evaluator is broken", WithCaller(t.Context(), user, answer{broken}), broken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Authorize(test.ctx, Question{Action: "cloudwatch:PutMetricData", Resource: "*"})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if err := Authorize(WithCaller(t.Context(), user, nil), Question{}); err == nil {
		t.Error("without an authorizer a user was let in")
	}
}

func TestCallerOf(t *testing.T) {
	if c := CallerOf(t.Context()); !c.Root || c.Account != "000000000000" || c.Region != "us-east-1" {
		t.Errorf("by default the caller is %+v", c)
	}
	user := Caller{ARN: "arn:aws:iam::000000000000:user/u"}
	if c := CallerOf(WithCaller(t.Context(), user, nil)); c != user {
		t.Errorf("the caller is %+v", c)
	}
}
