package workerimage

// Source says where an answered image comes from.
type Source string

// Sources.
const (
	Built    Source = "built"    // the worker that came with this deployment of the stack
	Running  Source = "running"  // what the service runs
	Restored Source = "restored" // what the service ran before the update that is being rolled back
)

// Record is what the stack remembers between its deployments. It is JSON in a parameter, for people too.
type Record struct {
	Request    string `json:"request"`    // id of CloudFormation's request that was answered last
	Properties string `json:"properties"` // fingerprint of the properties that this request asked for
	Worker     string `json:"worker"`     // fingerprint of the worker of the stack's last deployment
	Image      string `json:"image"`      // the answer, by digest
	Source     Source `json:"source"`
	Reason     string `json:"reason"` // of the answer, for people
	Before     Before `json:"before"` // what was there when the request came
	// Restore says that the stack was rolled back to Before, and that the service has to be looked at when it is done.
	Restore bool `json:"restore,omitempty"`
}

// Before is the state that a rollback goes back to.
type Before struct {
	Worker         string `json:"worker,omitempty"`
	Image          string `json:"image,omitempty"`          // that the service ran, by digest; empty without one
	TaskDefinition string `json:"taskDefinition,omitempty"` // ARN, likewise
}

// Request is what CloudFormation asks for.
type Request struct {
	ID            string
	Create        bool   // rather than an update
	Rollback      bool   // the stack is being rolled back
	Properties    string // fingerprint of the properties asked for
	OldProperties string // fingerprint of those until now; of an update
}

// Situation is everything that decides which image the service gets.
type Situation struct {
	Request Request
	Worker  string // fingerprint of the worker that came with this deployment
	Image   string // its image, by digest, which need not be in the repository yet
	Record  *Record
	// Running and TaskDefinition are what the service runs: an image by digest that is in the stack's repository, else
	// empty.
	Running        string
	TaskDefinition string
}

// Decide returns the record of the new answer; its Image is the answer. Where the Source is Built, the image has to be
// pushed.
//
// The image changes only if the worker of this deployment is another one than that of the deployment before. The
// pipeline may have deployed since; its image stays in every other case.
func Decide(s Situation) Record {
	if s.Record != nil && s.Record.Request == s.Request.ID {
		return *s.Record // asked again: the first answer did not arrive
	}
	if s.Request.Rollback {
		return s.rollback()
	}
	next := Record{
		Request: s.Request.ID, Properties: s.Request.Properties, Worker: s.Worker,
		Before: Before{Image: s.Running, TaskDefinition: s.TaskDefinition},
	}
	if s.Record != nil {
		next.Before.Worker = s.Record.Worker
	}
	switch {
	case s.Request.Create:
		return next.answer(s.Image, Built, "the first image of this stack")
	case s.Running == "":
		return next.answer(s.Image, Built, "the service runs no image of this stack's repository")
	case s.Record == nil:
		// Nobody knows the last worker. A pipeline's image must not be lost for that.
		return next.answer(s.Running, Running, "the record of the last deployment is missing; the running image stays")
	case s.Worker != s.Record.Worker:
		return next.answer(s.Image, Built, "the worker is another one than at the last deployment of the stack")
	default:
		return next.answer(s.Running, Running, "the worker is the one of the last deployment of the stack")
	}
}

func (s Situation) rollback() Record {
	// The record is of the failed update only if that update got as far as being recorded.
	if s.Record != nil && s.Record.Properties == s.Request.OldProperties && s.Record.Before.Image != "" {
		next := *s.Record
		next.Request, next.Worker, next.Restore = s.Request.ID, s.Record.Before.Worker, true
		return next.answer(s.Record.Before.Image, Restored, "the image from before the update that is rolled back")
	}
	next := Record{Request: s.Request.ID, Properties: s.Request.Properties, Worker: s.Worker}
	if s.Record != nil {
		next = *s.Record
		next.Request = s.Request.ID
	}
	if s.Running != "" {
		return next.answer(s.Running, Running, "the update that is rolled back did not change the image")
	}
	next.Worker = s.Worker
	return next.answer(s.Image, Built, "the service runs no image of this stack's repository")
}

func (r Record) answer(image string, source Source, reason string) Record {
	r.Image, r.Source, r.Reason = image, source, reason
	return r
}
