package wire

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/smithy-go"
)

// fault is an error that the protocol layer itself makes. AWS JSON and Query services name the same fault differently
// ("Common error types" of each service's API reference), and answer it with different HTTP statuses.
type fault struct {
	json, query string // codes
	status      int    // of Query services; JSON services answer 400 to every client error
	message     string
}

func (f *fault) Error() string { return f.json + ": " + f.message }

var errMissingToken = &fault{
	json: "MissingAuthenticationTokenException", query: "MissingAuthenticationToken", status: http.StatusForbidden,
	message: "Missing Authentication Token",
}

var errUnknownKey = &fault{
	json: "UnrecognizedClientException", query: "InvalidClientTokenId", status: http.StatusForbidden,
	message: "The security token included in the request is invalid.",
}

func incomplete(format string, args ...any) error {
	return &fault{
		json: "IncompleteSignatureException", query: "IncompleteSignature", status: http.StatusBadRequest,
		message: fmt.Sprintf(format, args...),
	}
}

func mismatch(format string, args ...any) error {
	return &fault{
		json: "InvalidSignatureException", query: "SignatureDoesNotMatch", status: http.StatusForbidden,
		message: fmt.Sprintf(format, args...),
	}
}

func malformed(format string, args ...any) error {
	return &fault{
		json: "SerializationException", query: "MalformedInput", status: http.StatusBadRequest,
		message: fmt.Sprintf(format, args...),
	}
}

func unknownOperation(format string, args ...any) error {
	return &fault{
		json: "UnknownOperationException", query: "InvalidAction", status: http.StatusBadRequest,
		message: fmt.Sprintf(format, args...),
	}
}

// notImplemented is for what AWS has and local AWS has not. Its status is 400, not 501: SDKs retry every 5xx.
func notImplemented(format string, args ...any) error {
	return &fault{
		json: "NotImplementedException", query: "NotImplemented", status: http.StatusBadRequest,
		message: fmt.Sprintf(format, args...),
	}
}

func tooLarge(limit int64) error {
	return &fault{
		json: "RequestEntityTooLargeException", query: "RequestEntityTooLarge", status: http.StatusRequestEntityTooLarge,
		message: fmt.Sprintf("the request body is larger than %d bytes", limit),
	}
}

// envelope is an error as a protocol writes it.
type envelope struct {
	code    string
	message string
	sender  bool // the caller's mistake, not the server's
	status  int
	detail  error // a typed exception, whose other members AWS JSON sends as well
}

// envelopeOf turns any error into what the client gets. query says which protocol's codes to use. An error that
// carries no AWS code is local AWS's own failure: its text is sent, because on a developer's machine it helps.
func envelopeOf(err error, query bool) envelope {
	var own *fault
	var invalid *ValidationError
	var api smithy.APIError
	switch {
	case errors.As(err, &own):
		if query {
			return envelope{code: own.query, message: own.message, sender: true, status: own.status}
		}
		status := http.StatusBadRequest
		if own.status == http.StatusRequestEntityTooLarge {
			status = own.status
		}
		return envelope{code: own.json, message: own.message, sender: true, status: status}
	case errors.As(err, &invalid) && query:
		return envelope{code: "ValidationError", message: invalid.ErrorMessage(), sender: true, status: http.StatusBadRequest}
	case errors.As(err, &api):
		e := envelope{code: api.ErrorCode(), message: api.ErrorMessage(), sender: true, status: http.StatusBadRequest, detail: api}
		if api.ErrorFault() == smithy.FaultServer {
			e.sender, e.status = false, http.StatusInternalServerError
		}
		return e
	}
	return envelope{code: "InternalFailure", message: "local AWS failed: " + err.Error(), status: http.StatusInternalServerError}
}
