package wire

import (
	"context"
	"fmt"

	"github.com/aws/smithy-go"
)

// AccountID is the account that local AWS answers for.
const AccountID = "000000000000"

// Caller is who sent a request and to where, as its verified signature says.
type Caller struct {
	Region    string
	AccessKey string
}

type callerKey struct{}

// WithCaller returns a context that carries c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns the caller of the request that ctx belongs to; the zero Caller outside a request.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// Errorf makes an API error with AWS's own code; services may return the SDK's typed exceptions as well.
func Errorf(code, format string, args ...any) error {
	return &smithy.GenericAPIError{Code: code, Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}
