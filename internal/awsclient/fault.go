package awsclient

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// fault is what a failed attempt means for trying again.
type fault int

const (
	// faultFinal will fail again.
	faultFinal fault = iota
	// faultThrottled was refused for its rate, before AWS acted on it.
	faultThrottled
	// faultExpired was refused because the credentials have expired, before AWS acted on it.
	faultExpired
	// faultUnsent never reached anybody.
	faultUnsent
	// faultUnsure may have been acted on although no good answer came.
	faultUnsure
)

// throttleCodes are the codes with which AWS refuses a call for its rate. LimitExceededException is not among them:
// ECS and ECR use it for quotas, which no waiting cures.
var throttleCodes = []string{
	"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
	"TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "PriorRequestNotComplete",
}

// expiredCodes are the codes with which AWS refuses credentials that were good before.
var expiredCodes = []string{"ExpiredToken", "ExpiredTokenException"}

// transientCodes are the codes of failures on AWS's side that pass.
var transientCodes = []string{
	"ServerException", "InternalFailure", "InternalError", "InternalServerError", "ServiceUnavailable",
	"ServiceUnavailableException", "RequestTimeout", "RequestTimeoutException",
}

// faultOf classifies the error of one attempt.
func faultOf(err error) fault {
	var noCredentials *credentialsError
	var says interface{ RetryableError() bool }
	switch {
	case errors.Is(err, context.Canceled), errors.As(err, &noCredentials):
		return faultFinal
	case errors.As(err, &says) && says.RetryableError():
		return faultThrottled // the clock was skewed: the SDK has corrected it, AWS did not act
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch {
		case slices.Contains(throttleCodes, api.ErrorCode()):
			return faultThrottled
		case slices.Contains(expiredCodes, api.ErrorCode()):
			return faultExpired
		case slices.Contains(transientCodes, api.ErrorCode()):
			return faultUnsure
		}
	}
	if status := statusOf(err); status != 0 {
		switch {
		case status == http.StatusTooManyRequests:
			return faultThrottled
		case status >= 500 && status != http.StatusNotImplemented, connectionFault(err) == faultUnsure:
			return faultUnsure // the latter: the connection broke in the middle of the answer
		}
		return faultFinal
	}
	return connectionFault(err)
}

// connectionFault classifies an error that came without an answer.
func connectionFault(err error) fault {
	var dns *net.DNSError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return faultFinal
		}
		return faultUnsent
	case errors.As(err, &op) && op.Op == "dial":
		return faultUnsent
	case truncated(err), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return faultUnsure
	case errors.As(err, &timeout) && timeout.Timeout():
		return faultUnsure
	case strings.Contains(err.Error(), "http: server closed idle connection"), strings.Contains(err.Error(), "http2: "):
		return faultUnsure // net/http has no exported error for these
	}
	return faultFinal
}

// truncated reports whether an answer broke off.
func truncated(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// statusOf is the HTTP status of an answer; 0 when none came. The SDK wraps also what came without an answer.
func statusOf(err error) int {
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil {
		return 0
	}
	return answer.HTTPStatusCode()
}

// answered reports whether the error came as an answer, whatever it says.
func answered(err error) bool { return statusOf(err) != 0 }
