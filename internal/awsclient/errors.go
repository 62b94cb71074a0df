package awsclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Error is an AWS call that failed, told for people: what happened, and the cure.
type Error struct {
	// Call is the permission that the call needs, "ecs:UpdateService"; empty when no call was made.
	Call string
	// Code is AWS's error code; empty when no answer came.
	Code string
	// Message says what happened, one line.
	Message string
	// Cure says what to do; empty when nobody but the caller knows.
	Cure string
	// Denied is set when a permission is missing.
	Denied *Denial
	// Err is the SDK's own error.
	Err error
}

// Error is the message, and the cure on a line of its own.
func (e *Error) Error() string {
	if e.Cure == "" {
		return e.Message
	}
	return e.Message + "\n  " + e.Cure
}

// Unwrap gives the SDK's own error.
func (e *Error) Unwrap() error { return e.Err }

// DenialOf tells which permission was missing, when that is why err came about.
func DenialOf(err error) (Denial, bool) {
	var e *Error
	if errors.As(err, &e) && e.Denied != nil {
		return *e.Denied, true
	}
	return Denial{}, false
}

// CodeOf is AWS's error code; empty when err is no answer of AWS.
func CodeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// MessageOf is AWS's own text; empty when err is no answer of AWS.
func MessageOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return ""
}

// actionPrefixes are the services' names in permissions, by their names in the SDK.
var actionPrefixes = map[string]string{
	"ECS": "ecs", "ECR": "ecr", "CloudWatch Logs": "logs", "STS": "sts",
	"Secrets Manager": "secretsmanager", "SSM": "ssm", "IAM": "iam",
}

// translate makes an *Error of what a call gave. last is the last failed attempt, when there was more than one.
func translate(ctx context.Context, err, last error) error {
	e := &Error{Err: err}
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		prefix, ok := actionPrefixes[operation.ServiceID]
		if !ok {
			prefix = operation.ServiceID
		}
		e.Call = prefix + ":" + operation.OperationName
	}
	if cause := context.Cause(ctx); cause != nil {
		return ended(e, cause, last)
	}
	var noCredentials *credentialsError
	var api smithy.APIError
	var invalid smithy.InvalidParamsError
	switch {
	case errors.As(err, &noCredentials):
		e.Message, e.Cure = noCredentials.explain()
	case errors.Is(err, errUnsure):
		e.Message, e.Cure = fmt.Sprintf("%s: %v (%s)", e.Call, errUnsure, plain(last, err)), "run the same command again: it goes on from what is true"
	case errors.As(err, &api):
		e.Code = api.ErrorCode()
		translateAnswer(e, api)
	case errors.As(err, &invalid):
		e.Message = fmt.Sprintf("%s: %s", e.Call, strings.Join(strings.Fields(invalid.Error()), " "))
	case !answered(err) && connectionFault(err) != faultFinal, errors.Is(err, errNobody):
		e.Message = fmt.Sprintf("%s: %s", e.Call, plain(last, err))
		e.Cure = "check that the endpoint is up and reachable from here (local AWS: medusa-deploy local status)"
	case answered(err):
		e.Message = fmt.Sprintf("%s: %s", e.Call, plain(err, nil))
		e.Cure = "check that an AWS endpoint answers there: AWS_ENDPOINT_URL, HTTPS_PROXY"
	default:
		e.Message = fmt.Sprintf("%s: %s", e.Call, plain(err, nil))
	}
	return e
}

// ended is the error of a call whose context ended. It keeps the context's own error, which callers test for.
func ended(e *Error, cause, last error) error {
	e.Message = fmt.Sprintf("%s: %v", e.Call, cause)
	if last != nil {
		e.Message += "; the last attempt: " + plain(last, nil)
	}
	e.Err = errors.Join(cause, e.Err)
	if errors.Is(cause, errPatience) {
		e.Cure = "AWS's state of health: https://health.aws.amazon.com/health/status"
	}
	return e
}

// plain is the innermost telling text of an error, without the SDK's wrapping.
func plain(err, otherwise error) string {
	if err == nil {
		err = otherwise
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return orElse(api.ErrorMessage(), api.ErrorCode())
	}
	var garbled *smithy.DeserializationError
	if errors.As(err, &garbled) {
		return fmt.Sprintf("HTTP status %d, and an answer that is not AWS's: %v", statusOf(err), garbled.Err)
	}
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		err = operation.Err
	}
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		err = send.Err
	}
	return err.Error()
}

// translateAnswer says what AWS's error code means for the person in front of it.
func translateAnswer(e *Error, api smithy.APIError) {
	said := orElse(api.ErrorMessage(), api.ErrorCode())
	switch api.ErrorCode() {
	case "AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized":
		d := parseDenial(said, e.Call)
		e.Denied = &d
		e.Message, e.Cure = d.message(), d.cure()
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		e.Message = "the AWS credentials have expired, and where they come from there are no newer ones"
		e.Cure = "get new ones: sign in again (aws sso login), or run the workflow's credentials step again"
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId":
		e.Message = "AWS does not know the access key: it was deleted, is switched off, or belongs to another place (say, a local AWS)"
		e.Cure = "check AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN and AWS_PROFILE, with: aws sts get-caller-identity"
	case "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "AuthFailure":
		e.Message = "AWS refuses the signature: " + said
		e.Cure = "the secret access key does not belong to the access key id (check for a missing or extra character), or this machine's clock is wrong"
	case "MissingAuthenticationToken", "MissingAuthenticationTokenException":
		e.Message = "AWS got a call without credentials"
		e.Cure = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
	case "OptInRequired", "SubscriptionRequiredException":
		e.Message = e.Call + ": the account is not set up for this service or region: " + said
		e.Cure = "enable the region or service in the AWS console"
	case "LimitExceededException":
		e.Message = e.Call + ": a quota is reached: " + said
		e.Cure = "remove what is no longer needed, or raise the quota: https://console.aws.amazon.com/servicequotas"
	default:
		e.Message = fmt.Sprintf("%s: %s (%s)", e.Call, said, api.ErrorCode())
	}
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
