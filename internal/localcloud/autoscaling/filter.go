package autoscaling

import (
	"context"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

// filter reads which targets a request describes, and authorizes it. Where the request also lists names, member is
// what it calls the list.
func (s *Server) filter(ctx context.Context, action string, m members, member string, names []string) (key, error) {
	var v wire.Violations
	k := m.checkPresent(&v)
	if m.namespace == "" {
		v.Missing("serviceNamespace")
	}
	checkIDs(&v, member, names)
	if err := violated(&v); err != nil {
		return k, err
	}
	if k.dimension != "" && k.resource == "" { // as the API reference says
		return k, validation("If you specify a scalable dimension, you must also specify a resource ID.")
	}
	return k, s.authorize(ctx, action, "*", k)
}

// selects tells whether a filter (empty parts select all) matches a target.
func (k key) selects(t key) bool {
	return t.namespace == k.namespace && (k.resource == "" || k.resource == t.resource) &&
		(k.dimension == "" || k.dimension == t.dimension)
}

// selected are the targets that a filter matches. It needs the server's mutex.
func (s *Server) selected(k key) []*target {
	var found []*target
	for _, t := range s.targets {
		if k.selects(t.key) {
			found = append(found, t)
		}
	}
	return found
}

// named reads a request about one thing of a target, whose name the request calls member.
func (m members) named(member string, name *string) (key, error) {
	var v wire.Violations
	if wire.Required(&v, member, name) {
		checkID(&v, member, name)
	}
	k := m.check(&v)
	if err := violated(&v); err != nil {
		return k, err
	}
	return k, k.matches()
}
