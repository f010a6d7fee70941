// Package workerimage makes the worker's container image, without Docker, brings it into a registry, and decides which
// image the service of a stack runs.
//
// One builder serves both ways to an image: the stack's own (a custom resource, whose function holds the worker's
// binary) and the pipeline's (scripts/image). The image is the worker's static binary on nothing, and what a static
// binary needs from a system as files: root certificates, time zones, a user that is not root. Files rather than
// packages of Go (golang.org/x/crypto/x509roots/fallback, time/tzdata) inside the binary: so they serve a worker in any
// language, a scanner sees them, and the worker holds neither in its memory before it needs them.
//
// The same worker gives the same digest, always and everywhere: no time, no host and no commit enters. The sources of
// the files are pinned: the certificates are those of the x509roots module in go.sum, the time zones those of
// zoneinfo.zip, which is in this folder.
//
// # Who owns the image
//
// It changes by a deployment of the pipeline, or by a deployment of the stack whose worker differs from the one of the
// stack's deployment before. Every other update of the stack keeps the image that the service runs, and a rollback of
// the stack puts back what ran before the update. CloudFormation knows only the image that it was told last; so
// everything that enters the task definition is a property of the custom resource, which is therefore asked whenever
// CloudFormation is about to write one, and Decide answers from the service and from a Record of the last answer.
package workerimage
