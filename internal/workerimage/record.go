package workerimage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

type parameterStore interface {
	GetParameter(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (*ssm.GetParameterOutput, error)
	PutParameter(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (*ssm.PutParameterOutput, error)
	DeleteParameter(context.Context, *ssm.DeleteParameterInput, ...func(*ssm.Options)) (
		*ssm.DeleteParameterOutput, error)
}

// Records keeps the Record of a stack in a parameter of the Parameter Store.
type Records struct {
	Client parameterStore
	Name   string // of the parameter
}

// read returns nil when there is no record.
func (r Records) read(ctx context.Context) (*Record, error) {
	found, err := r.Client.GetParameter(ctx, &ssm.GetParameterInput{Name: &r.Name})
	var missing *types.ParameterNotFound
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read parameter %s: %w", r.Name, err)
	}
	return parseRecord(found.Parameter), nil
}

// parseRecord returns nil for what is no record: it was edited by hand, and the answers without a record are safe.
func parseRecord(parameter *types.Parameter) *Record {
	if parameter == nil {
		return nil
	}
	var record Record
	if json.Unmarshal([]byte(aws.ToString(parameter.Value)), &record) != nil {
		return nil
	}
	return &record
}

func (r Records) write(ctx context.Context, record Record) error {
	document, err := json.Marshal(record)
	if err != nil {
		return err
	}
	_, err = r.Client.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &r.Name, Value: aws.String(string(document)), Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
		Description: aws.String("Which image the stack gave to its service last, and why"),
	})
	if err != nil {
		return fmt.Errorf("write parameter %s: %w", r.Name, err)
	}
	return nil
}

func (r Records) remove(ctx context.Context) error {
	_, err := r.Client.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &r.Name})
	var missing *types.ParameterNotFound
	if err != nil && !errors.As(err, &missing) {
		return fmt.Errorf("delete parameter %s: %w", r.Name, err)
	}
	return nil
}
