package wire

import "fmt"

// Fault is an error that a client sees, in AWS's words.
type Fault struct {
	// Code is the name of the error's shape, e.g. "ValidationException".
	Code string
	// QueryCode is its older name in the query protocol, where that differs (e.g. "InvalidParameterValue").
	QueryCode string
	// Status is the HTTP status; 0 means 400.
	Status int
	// Message says what was wrong.
	Message string
	// Members are further members of the error's shape, e.g. ResourceName.
	Members map[string]string
}

func (f *Fault) Error() string { return fmt.Sprintf("%s: %s", f.Code, f.Message) }

func (f *Fault) status() int {
	if f.Status == 0 {
		return 400
	}
	return f.Status
}

func (f *Fault) queryCode() string {
	if f.QueryCode == "" {
		return f.Code
	}
	return f.QueryCode
}

// party says who is to blame, as the query protocol wants it.
func (f *Fault) party() string {
	if f.status() >= 500 {
		return "Receiver"
	}
	return "Sender"
}

// AccessDenied is the fault of a caller without permission.
func AccessDenied(message string) *Fault {
	return &Fault{Code: "AccessDeniedException", QueryCode: "AccessDenied", Message: message}
}
