package ministack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// CloudFormation hands numbers on as strings and the API as numbers; a task definition in the emulator has whichever
// its maker used.

// Number is an integer that may be written as a string.
type Number int

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(data []byte) error {
	text := string(bytes.Trim(data, `"`))
	if text == "" || text == "null" {
		return nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("%s is no number: %w", data, err)
	}
	*n = Number(f)
	return nil
}

// Text is a string that may be written as a number or truth value.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*t = Text(s)
		return nil
	}
	if string(data) != "null" {
		*t = Text(data)
	}
	return nil
}
