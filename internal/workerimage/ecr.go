package workerimage

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
)

type tokenGiver interface {
	GetAuthorizationToken(context.Context, *ecr.GetAuthorizationTokenInput, ...func(*ecr.Options)) (
		*ecr.GetAuthorizationTokenOutput, error)
}

// ECRLogin logs in to the account's ECR registry, for Registry.Login. Each call asks for a token: a function that stays
// warm for days must not use yesterday's.
func ECRLogin(client tokenGiver) func(ctx context.Context, repository string) (Endpoint, error) {
	return func(ctx context.Context, _ string) (Endpoint, error) {
		answer, err := client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
		if err != nil {
			return Endpoint{}, fmt.Errorf("log in to ECR: %w", err)
		}
		if len(answer.AuthorizationData) == 0 {
			return Endpoint{}, fmt.Errorf("log in to ECR: the answer holds no token")
		}
		granted := answer.AuthorizationData[0]
		// The endpoint to use is the one that comes with the token, whatever the repository's name says.
		address, err := url.Parse(aws.ToString(granted.ProxyEndpoint))
		if err != nil || address.Host == "" {
			return Endpoint{}, fmt.Errorf("log in to ECR: endpoint %q is no address",
				aws.ToString(granted.ProxyEndpoint))
		}
		pair, err := base64.StdEncoding.DecodeString(aws.ToString(granted.AuthorizationToken))
		user, password, found := strings.Cut(string(pair), ":")
		if err != nil || !found {
			return Endpoint{}, fmt.Errorf("log in to ECR: the token is not base64 of user:password")
		}
		return Endpoint{
			Host: address.Host, Insecure: address.Scheme == "http",
			Auth: &authn.Basic{Username: user, Password: password},
		}, nil
	}
}

// IsECR tells whether the repository's name is one that ECR gives.
func IsECR(repository string) bool {
	host, _, _ := strings.Cut(repository, "/")
	return strings.Contains(host, ".dkr.ecr.") || strings.Contains(host, ".dkr-ecr.")
}
