// Package iam answers, for requests that the local engine serves itself, who calls and whether IAM lets them.
// The emulator holds users, roles and policies and evaluates them; this package is only the way to ask.
package iam

import (
	"context"
	"fmt"
)

// Caller is who signed a request.
type Caller struct {
	// Account and Region of the call; the region is that of the signature.
	Account, Region string
	// ARN of the principal, such as arn:aws:sts::000000000000:assumed-role/name/session.
	ARN string
	// AccessKey is the key that signed the request.
	AccessKey string
	// Root may do everything. The key "test" is root.
	Root bool
}

// Root is the root user of an account.
func Root(account, region string) Caller {
	return Caller{Account: account, Region: region, ARN: fmt.Sprintf("arn:aws:iam::%s:root", account),
		AccessKey: "test", Root: true}
}

// Question is what a caller wants to do.
type Question struct {
	// Action, such as cloudwatch:PutMetricData.
	Action string
	// Resource is an ARN, or "*" for actions without one.
	Resource string
	// Context holds the condition keys of the action, such as cloudwatch:namespace. May be nil.
	Context map[string]string
}

// Denied is the refusal of a request. Its code and message are AWS's own.
type Denied struct {
	// Code is AccessDeniedException; or UnrecognizedClientException, ExpiredTokenException and the like when it is the
	// credentials that are no good.
	Code    string
	Message string
}

// Error implements error.
func (d *Denied) Error() string { return d.Code + ": " + d.Message }

// Authorizer decides. It returns nil, a *Denied, or another error when it cannot tell.
type Authorizer interface {
	Authorize(context.Context, Caller, Question) error
}

type contextKey struct{}

type entry struct {
	caller     Caller
	authorizer Authorizer
}

// WithCaller says who makes the request of a context, and who decides what the caller may do.
func WithCaller(ctx context.Context, c Caller, a Authorizer) context.Context {
	return context.WithValue(ctx, contextKey{}, entry{c, a})
}

// CallerOf is the caller of a request's context: the root user of the default account when nobody said.
func CallerOf(ctx context.Context) Caller {
	if e, ok := ctx.Value(contextKey{}).(entry); ok {
		return e.caller
	}
	return Root("000000000000", "us-east-1")
}

// Authorize asks whether the caller of the context may do something. It returns nil, a *Denied, or another error when
// that cannot be told.
func Authorize(ctx context.Context, q Question) error {
	e, ok := ctx.Value(contextKey{}).(entry)
	if !ok || e.caller.Root {
		return nil
	}
	if e.authorizer == nil {
		return fmt.Errorf("no authorizer for %s on %s by %s", q.Action, q.Resource, e.caller.ARN)
	}
	return e.authorizer.Authorize(ctx, e.caller, q)
}
