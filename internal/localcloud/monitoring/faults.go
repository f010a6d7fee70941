package monitoring

import (
	"fmt"

	"sqs-dynamic-target-tracking/internal/localcloud/wire"
)

func invalidValue(format string, args ...any) *wire.Fault {
	return &wire.Fault{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue",
		Message: fmt.Sprintf(format, args...)}
}

func invalidCombination(format string, args ...any) *wire.Fault {
	return &wire.Fault{Code: "InvalidParameterCombinationException", QueryCode: "InvalidParameterCombination",
		Message: fmt.Sprintf(format, args...)}
}

func missing(parameter string) *wire.Fault {
	return &wire.Fault{Code: "MissingRequiredParameterException", QueryCode: "MissingParameter",
		Message: fmt.Sprintf("The parameter %s is required.", parameter)}
}

// validation is the fault of an input that breaks the service model.
func validation(format string, args ...any) *wire.Fault {
	return &wire.Fault{Code: "ValidationError", QueryCode: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

func violated(v *wire.Violations) error {
	if m := v.Message(); m != "" {
		return validation("%s", m)
	}
	return nil
}

func badToken() *wire.Fault {
	return &wire.Fault{Code: "InvalidNextToken", Message: "Request parameter NextToken is invalid"}
}

func notFound(format string, args ...any) *wire.Fault {
	return &wire.Fault{Code: "ResourceNotFound", Status: 404, Message: fmt.Sprintf(format, args...)}
}
