package wire

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// cborProtocol is smithy rpc-v2-cbor.
type cborProtocol struct {
	namespace string // of error shapes
	query     bool   // the client also wants the error's older name
}

var (
	cborReader = mustMode(
		cbor.DecOptions{DefaultMapType: reflect.TypeFor[map[string]any](), MaxArrayElements: 1 << 20}.DecMode(),
	)
	cborWriter = mustMode(cbor.EncOptions{Sort: cbor.SortBytewiseLexical}.EncMode())
)

func mustMode[M any](m M, err error) M {
	if err != nil {
		panic("wire: options of the CBOR codec: " + err.Error())
	}
	return m
}

func (cborProtocol) read(body []byte) (any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	var tree any
	if err := cborReader.Unmarshal(body, &tree); err != nil {
		return nil, fmt.Errorf("the request is not CBOR: %w", err)
	}
	return tree, nil
}

func (p cborProtocol) write(w http.ResponseWriter, a answer) { p.send(w, http.StatusOK, a.output) }

func (p cborProtocol) fail(w http.ResponseWriter, f *Fault) {
	code := f.Code
	if p.namespace != "" {
		code = p.namespace + "#" + code
	}
	o := object{{"__type", code}, {"message", f.Message}}
	for name, value := range f.Members {
		o = append(o, member{name, value})
	}
	if p.query {
		w.Header().Set("x-amzn-query-error", f.queryCode()+";"+f.party())
	}
	p.send(w, f.status(), o)
}

func (p cborProtocol) send(w http.ResponseWriter, status int, o object) {
	body, err := cborWriter.Marshal(cborTree(o))
	if err != nil {
		panic("wire: an answer that CBOR cannot hold: " + err.Error()) // treeOf makes only what it can
	}
	w.Header().Set("Content-Type", "application/cbor")
	w.Header().Set("smithy-protocol", "rpc-v2-cbor")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// cborTree replaces objects by maps and times by tagged epoch seconds.
func cborTree(tree any) any {
	switch t := tree.(type) {
	case object:
		return cborMap(t)
	case dictionary:
		return cborMap(t)
	case []any:
		list := make([]any, len(t))
		for i, v := range t {
			list[i] = cborTree(v)
		}
		return list
	case time.Time:
		return cbor.Tag{Number: 1, Content: float64(t.UnixMilli()) / 1000}
	}
	return tree
}

func cborMap(members []member) map[string]any {
	m := make(map[string]any, len(members))
	for _, e := range members {
		m[e.name] = cborTree(e.value)
	}
	return m
}
