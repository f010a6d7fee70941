package autoscaling

import (
	"fmt"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

func validation(format string, args ...any) *wire.Fault {
	return &wire.Fault{Code: "ValidationException", Message: fmt.Sprintf(format, args...)}
}

func violated(v *wire.Violations) error {
	if m := v.Message(); m != "" {
		return validation("%s", m)
	}
	return nil
}

func notFound(format string, args ...any) *wire.Fault {
	return &wire.Fault{Code: "ObjectNotFoundException", Message: fmt.Sprintf(format, args...)}
}

func notRegistered(k key) *wire.Fault { return notFound("No scalable target registered for %s", k) }

func limitExceeded(format string, args ...any) *wire.Fault {
	return &wire.Fault{Code: "LimitExceededException", Message: fmt.Sprintf(format, args...)}
}

func badToken() *wire.Fault {
	return &wire.Fault{Code: "InvalidNextTokenException", Message: "The next token supplied is invalid."}
}

func concurrent() *wire.Fault {
	return &wire.Fault{Code: "ConcurrentUpdateException",
		Message: "You already have a pending update to an Application Auto Scaling resource."}
}
