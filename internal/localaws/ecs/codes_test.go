package ecs

import (
	"errors"
	"testing"

	"github.com/aws/smithy-go"
)

// wantCode wants an API error of a code and a message.
func wantCode(t *testing.T, err error, code, message string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || api.ErrorMessage() != message {
		t.Errorf("error %v, want %s: %s", err, code, message)
	}
}
