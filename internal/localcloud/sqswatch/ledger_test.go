package sqswatch

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"
)

const queueURL = "http://127.0.0.1:4566/000000000000/jobs"

var start = time.UnixMilli(1_000_000)

// document is one JSON object of a request or response.
type document map[string]any

func observe(t *testing.T, l *Ledger, at time.Duration, action string, request, response document) {
	t.Helper()
	request["QueueUrl"] = queueURL
	encode := func(v any) []byte {
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	call := Call{Action: action, Request: encode(request), Response: encode(response), At: start.Add(at)}
	if err := l.Observe(call); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, l *Ledger, ids ...string) {
	t.Helper()
	for _, id := range ids {
		observe(t, l, 0, "SendMessage", document{"MessageBody": "{}"}, document{"MessageId": id})
	}
}

func receive(t *testing.T, l *Ledger, at time.Duration, id, receipt string) {
	t.Helper()
	observe(t, l, at, "ReceiveMessage", document{}, document{"Messages": []document{{
		"MessageId": id, "ReceiptHandle": receipt, "Attributes": document{"SentTimestamp": "1000000"},
	}}})
}

func remove(t *testing.T, l *Ledger, receipt string) {
	t.Helper()
	observe(t, l, time.Minute, "DeleteMessage", document{"ReceiptHandle": receipt}, document{})
}

func TestAccount(t *testing.T) {
	tests := []struct {
		name string
		play func(*testing.T, *Ledger)
		want Account
	}{
		{"sent and processed", func(t *testing.T, l *Ledger) {
			send(t, l, "a")
			receive(t, l, time.Second, "a", "r1")
			remove(t, l, "r1")
		}, Account{Sent: 1, Processed: 1, Waits: []time.Duration{time.Second}}},

		{"sent and left", func(t *testing.T, l *Ledger) {
			send(t, l, "a", "b")
		}, Account{Sent: 2, Open: 2}},

		{"received again after its lease ran out", func(t *testing.T, l *Ledger) {
			send(t, l, "a")
			receive(t, l, time.Second, "a", "r1")
			receive(t, l, time.Minute, "a", "r2")
			remove(t, l, "r2")
		}, Account{Sent: 1, Processed: 1, Repeated: 1, Waits: []time.Duration{time.Second}}},

		{"given back and received again", func(t *testing.T, l *Ledger) {
			send(t, l, "a")
			receive(t, l, time.Second, "a", "r1")
			observe(t, l, 2*time.Second, "ChangeMessageVisibility",
				document{"ReceiptHandle": "r1", "VisibilityTimeout": 0}, document{})
			receive(t, l, time.Minute, "a", "r2")
			remove(t, l, "r2")
		}, Account{Sent: 1, Processed: 1, GivenBack: 1, Waits: []time.Duration{time.Second}}},

		{"lease extended", func(t *testing.T, l *Ledger) {
			send(t, l, "a")
			receive(t, l, time.Second, "a", "r1")
			observe(t, l, 2*time.Second, "ChangeMessageVisibility",
				document{"ReceiptHandle": "r1", "VisibilityTimeout": 30}, document{})
		}, Account{Sent: 1, Open: 1, Waits: []time.Duration{time.Second}}},

		{"received before the answer of its send passed", func(t *testing.T, l *Ledger) {
			receive(t, l, 0, "a", "r1")
			send(t, l, "a")
			remove(t, l, "r1")
		}, Account{Sent: 1, Processed: 1, Waits: []time.Duration{0}}},

		{"delete observed before its receive", func(t *testing.T, l *Ledger) {
			send(t, l, "a")
			remove(t, l, "r1")
			receive(t, l, time.Second, "a", "r1")
		}, Account{Sent: 1, Processed: 1, Waits: []time.Duration{time.Second}}},

		{"set aside by the worker", func(t *testing.T, l *Ledger) {
			send(t, l, "a", "b")
			receive(t, l, time.Second, "a", "r1")
			record := `{"reason":"unreadable","queue":"` + queueURL + `","messageId":"a"}`
			observe(t, l, time.Second, "SendMessage", document{"MessageAttributes": document{
				"SetAside": document{"DataType": "String", "StringValue": record}}}, document{"MessageId": "c"})
			remove(t, l, "r1")
		}, Account{Sent: 3, SetAside: 1, Open: 2, Waits: []time.Duration{time.Second}}},

		{"a canary, which only its receiver shows", func(t *testing.T, l *Ledger) {
			send(t, l, "a")
			observe(t, l, time.Second, "ReceiveMessage", document{}, document{"Messages": []document{{
				"MessageId": "canary", "ReceiptHandle": "r1", "MessageAttributes": document{
					"CanaryTaskToken": document{"DataType": "String", "StringValue": "token"}}}}})
			remove(t, l, "r1")
		}, Account{Sent: 1, Open: 1, Canaries: 1}},

		{"batches, with a failed entry each", func(t *testing.T, l *Ledger) {
			observe(t, l, 0, "SendMessageBatch",
				document{"Entries": []document{{"Id": "0"}, {"Id": "1"}, {"Id": "2"}}},
				document{"Successful": []document{{"Id": "0", "MessageId": "a"}, {"Id": "2", "MessageId": "b"}},
					"Failed": []document{{"Id": "1"}}})
			receive(t, l, 0, "a", "r1")
			receive(t, l, time.Second, "b", "r2")
			observe(t, l, 0, "DeleteMessageBatch",
				document{"Entries": []document{{"Id": "0", "ReceiptHandle": "r1"}, {"Id": "1", "ReceiptHandle": "r2"}}},
				document{"Successful": []document{{"Id": "1"}}, "Failed": []document{{"Id": "0"}}})
		}, Account{Sent: 2, Processed: 1, Open: 1, Waits: []time.Duration{0, time.Second}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ledger := &Ledger{}
			test.play(t, ledger)
			got, want := ledger.Account("jobs"), test.want
			if !slices.Equal(got.Waits, want.Waits) {
				t.Errorf("waits are %v, want %v", got.Waits, want.Waits)
			}
			got.Waits, want.Waits = nil, nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("account is %+v, want %+v", got, want)
			}
			if other := ledger.Account("other"); other.Sent != 0 {
				t.Errorf("another queue has %+v", other)
			}
		})
	}
}

func TestAccountBetween(t *testing.T) {
	l := &Ledger{}
	for second, id := range []string{"a", "b", "c"} {
		observe(t, l, time.Duration(second)*time.Second, "SendMessage", document{}, document{"MessageId": id})
	}
	got := l.AccountBetween("jobs", start.Add(time.Second), start.Add(2*time.Second))
	if got.Sent != 1 || got.Open != 1 {
		t.Errorf("within the second second: %+v, want one message", got)
	}
}

func TestWaits(t *testing.T) {
	account := Account{Waits: []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 6, 0.95: 10, 1: 10} {
		if got := account.Quantile(q); got != want {
			t.Errorf("Quantile(%v) is %d, want %d", q, got, want)
		}
	}
	for delay, want := range map[time.Duration]float64{0: 0, 5: 0.5, 10: 1, 99: 1} {
		if got := account.Within(delay); got != want {
			t.Errorf("Within(%d) is %v, want %v", delay, got, want)
		}
	}
	if none := (Account{}); none.Quantile(0.5) != 0 || none.Within(1) != 1 {
		t.Error("an account without waits is not neutral")
	}
}

func TestObserveRefusesWhatItCannotRead(t *testing.T) {
	var ledger Ledger
	if err := ledger.Observe(Call{Action: "SendMessage", Request: []byte("Action=SendMessage")}); err == nil {
		t.Error("a request in the query protocol was counted")
	}
}
