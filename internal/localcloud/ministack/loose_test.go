package ministack

import (
	"encoding/json"
	"testing"
)

func TestLooseNumbersAndTexts(t *testing.T) {
	var got struct {
		StopTimeout, Absent, Null, Empty Number
		CPU, Flag, Name                  Text
	}
	text := `{"StopTimeout":"120","Null":null,"Empty":"","CPU":256,"Flag":true,"Name":"a \"b\""}`
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if got.StopTimeout != 120 || got.Absent != 0 || got.Null != 0 || got.Empty != 0 {
		t.Errorf("numbers %+v", got)
	}
	if got.CPU != "256" || got.Flag != "true" || got.Name != `a "b"` {
		t.Errorf("texts %+v", got)
	}
	if err := json.Unmarshal([]byte(`{"StopTimeout":"soon"}`), &got); err == nil {
		t.Error("soon was taken for a number")
	}
}
