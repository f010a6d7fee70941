package autoscaling

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

//go:embed testdata/refusals.txt
var refusals string

// call sends a request as it looks on the wire, so that nothing is checked by a client before.
func call(t *testing.T, h http.Handler, operation, body string) (status int, answer map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AnyScaleFrontendService."+operation)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s answers %q: %v", operation, w.Body, err)
	}
	return w.Code, answer
}

func TestRefusals(t *testing.T) {
	const form = `"ServiceNamespace":%q,"ResourceId":%q,"ScalableDimension":%q`
	id := func(namespace, resource, dimension string) string {
		return fmt.Sprintf(form, namespace, resource, dimension)
	}
	names := strings.NewReplacer(
		"TARGET", id("ecs", "service/jobs/worker", "ecs:service:DesiredCount"),
		"ABSENT", id("ecs", "service/jobs/absent", "ecs:service:DesiredCount"),
		"TABLE", id("dynamodb", "table/t", "dynamodb:table:ReadCapacityUnits"))
	for _, block := range strings.Split(refusals, "\n# ")[1:] {
		lines := strings.SplitN(strings.TrimSpace(block), "\n", 3)
		t.Run(lines[0], func(t *testing.T) {
			operation, body, _ := strings.Cut(lines[1], " ")
			code, message, _ := strings.Cut(lines[2], ": ")
			w := setup(t, nil)
			w.register(t, 1, 10)
			status, answer := call(t, w.server, operation, names.Replace(body))
			got, _ := answer["Message"].(string)
			if status != http.StatusBadRequest || answer["__type"] != code || !strings.Contains(got, message) {
				t.Errorf("answer %d %v\nwant 400 %s: %s", status, answer, code, message)
			}
		})
	}
}
