package ecr

import (
	"errors"
	"net/http"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
)

// ociError is an error of the distribution specification ("Error Codes").
type ociError struct {
	status  int
	code    string
	message string
}

func (e *ociError) Error() string { return e.code + ": " + e.message }

// ociErrorOf turns the backend's errors into the registry's.
func ociErrorOf(err error) *ociError {
	var own *ociError
	if errors.As(err, &own) {
		return own
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return ociErrorOfException(api)
	}
	for _, known := range []struct {
		is     error
		status int
		code   string
	}{
		{blob.ErrNotFound, http.StatusNotFound, "BLOB_UNKNOWN"},
		{blob.ErrInvalidDigest, http.StatusBadRequest, "DIGEST_INVALID"},
		{blob.ErrDigestMismatch, http.StatusBadRequest, "DIGEST_INVALID"},
		{blob.ErrUploadNotFound, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN"},
		{blob.ErrUploadBusy, http.StatusConflict, "BLOB_UPLOAD_INVALID"},
		{blob.ErrOffset, http.StatusRequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID"},
		{errReferenced, http.StatusForbidden, "DENIED"},
		// 507 and not another 5xx: clients do not repeat it, and the person sees the text.
		{blob.ErrNoSpace, http.StatusInsufficientStorage, "DENIED"},
		{syscall.ENOSPC, http.StatusInsufficientStorage, "DENIED"},
	} {
		if errors.Is(err, known.is) {
			return &ociError{known.status, known.code, err.Error()}
		}
	}
	return &ociError{http.StatusInternalServerError, "UNKNOWN", "local AWS failed: " + err.Error()}
}

func ociErrorOfException(api smithy.APIError) *ociError {
	status, code := http.StatusBadRequest, "UNSUPPORTED"
	switch api.(type) {
	case *types.RepositoryNotFoundException:
		status, code = http.StatusNotFound, "NAME_UNKNOWN"
	case *types.ImageTagAlreadyExistsException:
		code = "TAG_INVALID"
	case *types.ImageNotFoundException:
		status, code = http.StatusNotFound, "MANIFEST_UNKNOWN"
	case *types.LayersNotFoundException, *types.ReferencedImagesNotFoundException:
		status, code = http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN"
	case *types.ImageDigestDoesNotMatchException:
		code = "DIGEST_INVALID"
	case *types.InvalidParameterException:
		code = "MANIFEST_INVALID"
	}
	return &ociError{status, code, api.ErrorMessage()}
}

func (g *registry) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := ociErrorOf(err)
	if e.status >= http.StatusInternalServerError {
		g.backend.log.Error("registry request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	writeOCIError(w, e)
}

func writeOCIError(w http.ResponseWriter, e *ociError) {
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, e.status, "application/json; charset=utf-8", struct {
		Errors []entry `json:"errors"`
	}{[]entry{{e.code, e.message}}})
}
