package autoscaling

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// page cuts one page out of a list. The token is the index of the last item that was answered. AWS takes at most
// `most` items a page, which is also the default.
func page[T any](list []T, maxResults *int32, token *string, most int) ([]T, *string, error) {
	size := most
	if n := int(aws.ToInt32(maxResults)); maxResults != nil && n > 0 {
		size = min(n, most)
	}
	start := 0
	if token != nil {
		last, err := strconv.Atoi(*token)
		if err != nil || last < 0 {
			return nil, nil, badToken()
		}
		start = min(last+1, len(list))
	}
	end := min(start+size, len(list))
	if end == len(list) {
		return list[start:end], nil, nil
	}
	return list[start:end], aws.String(strconv.Itoa(end - 1)), nil
}
