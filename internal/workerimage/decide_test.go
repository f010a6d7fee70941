package workerimage

import "testing"

const (
	oldWorker, newWorker = "sha256:old", "sha256:new"
	ownImage             = "registry/worker@sha256:own"      // of the worker that comes with the deployment
	pipelineImage        = "registry/worker@sha256:pipeline" // that the pipeline deployed
)

func TestDecide(t *testing.T) {
	// The record of a deployment of the stack after the pipeline had deployed.
	record := func(change func(*Record)) *Record {
		r := Record{
			Request: "earlier", Properties: "p1", Worker: oldWorker, Image: "registry/worker@sha256:last",
			Source: Built,
			Before: Before{Worker: "sha256:older", Image: pipelineImage, TaskDefinition: "td:7"},
		}
		if change != nil {
			change(&r)
		}
		return &r
	}
	update := Request{ID: "now", Properties: "p2", OldProperties: "p1"}
	for name, test := range map[string]struct {
		situation  Situation
		wantImage  string
		wantSource Source
		wantWorker string // that counts as deployed
	}{
		"the first deployment": {
			Situation{Request: Request{ID: "now", Create: true}, Worker: newWorker},
			ownImage, Built, newWorker,
		},
		"made anew although something is known": {
			Situation{
				Request: Request{ID: "now", Create: true}, Worker: oldWorker, Record: record(nil),
				Running: pipelineImage,
			},
			ownImage, Built, oldWorker,
		},
		"another task size keeps the pipeline's image": {
			Situation{Request: update, Worker: oldWorker, Record: record(nil), Running: pipelineImage},
			pipelineImage, Running, oldWorker,
		},
		"another worker replaces the pipeline's image": {
			Situation{Request: update, Worker: newWorker, Record: record(nil), Running: pipelineImage},
			ownImage, Built, newWorker,
		},
		"the same worker, and the service runs its image": {
			Situation{Request: update, Worker: oldWorker, Record: record(nil), Running: ownImage},
			ownImage, Running, oldWorker,
		},
		"the running image is gone or of another repository": {
			Situation{Request: update, Worker: oldWorker, Record: record(nil)},
			ownImage, Built, oldWorker,
		},
		"the record is lost: the pipeline's image stays": {
			Situation{Request: update, Worker: newWorker, Running: pipelineImage},
			pipelineImage, Running, newWorker,
		},
		"record and service are lost": {
			Situation{Request: update, Worker: newWorker},
			ownImage, Built, newWorker,
		},
		"asked again after the service moved": {
			Situation{
				Request: update, Worker: oldWorker, Running: pipelineImage,
				Record: record(func(r *Record) { r.Request = "now" }),
			},
			"registry/worker@sha256:last", Built, oldWorker,
		},
		"a rollback puts back what ran before the update": {
			Situation{
				Request: Request{ID: "now", Rollback: true, Properties: "p0", OldProperties: "p1"},
				Worker:  "sha256:older", Record: record(nil), Running: "registry/worker@sha256:last",
			},
			pipelineImage, Restored, "sha256:older",
		},
		"a rollback that is continued": {
			Situation{
				Request: Request{ID: "later", Rollback: true, Properties: "p0", OldProperties: "p1"},
				Worker:  "sha256:older", Running: pipelineImage,
				Record: record(func(r *Record) {
					r.Worker, r.Image, r.Source, r.Restore = "sha256:older", pipelineImage, Restored, true
				}),
			},
			pipelineImage, Restored, "sha256:older",
		},
		"a rollback of an update that was never recorded": {
			Situation{
				Request: Request{ID: "now", Rollback: true, Properties: "p1", OldProperties: "p2"},
				Worker:  oldWorker, Record: record(nil), Running: "registry/worker@sha256:last",
			},
			"registry/worker@sha256:last", Running, oldWorker,
		},
		"a rollback without a record": {
			Situation{Request: Request{ID: "now", Rollback: true}, Worker: oldWorker, Running: pipelineImage},
			pipelineImage, Running, oldWorker,
		},
		"a rollback to nothing that runs": {
			Situation{Request: Request{ID: "now", Rollback: true}, Worker: oldWorker, Record: record(nil)},
			ownImage, Built, oldWorker,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.situation.Image = ownImage
			got := Decide(test.situation)
			if got.Image != test.wantImage || got.Source != test.wantSource || got.Worker != test.wantWorker {
				t.Errorf("answer is %s (%s), worker %s; want %s (%s), worker %s",
					got.Image, got.Source, got.Worker, test.wantImage, test.wantSource, test.wantWorker)
			}
			if got.Restore != (test.wantSource == Restored) {
				t.Errorf("Restore is %v after %s", got.Restore, got.Source)
			}
			if again := Decide(repeated(test.situation, got)); again != got {
				t.Errorf("the same request again is answered %+v, before %+v", again, got)
			}
		})
	}
}

// repeated is the situation when CloudFormation asks the same again.
func repeated(s Situation, answer Record) Situation {
	s.Record = &answer
	return s
}
