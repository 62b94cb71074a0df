package awsclient

import "strings"

// repeat says when a failed call may be sent again.
type repeat int

const (
	// repeatUnsent is for calls that change something each time they arrive: sent again only when AWS surely did not act.
	repeatUnsent repeat = iota
	// repeatAny is for reads, and for changes that come to the same when they arrive twice.
	repeatAny
)

// repeatable lists the changes that come to the same when they arrive twice. CreateService and RunTask count because they
// carry a client token, the others because their callers take "it is so already" for a success.
var repeatable = map[string]bool{
	"ECS.CreateCluster":         true,
	"ECS.CreateService":         true,
	"ECS.RunTask":               true,
	"ECS.StopServiceDeployment": true,
	"ECS.StopTask":              true,
	"ECS.TagResource":           true,
	"ECR.CreateRepository":      true,
	"ECR.PutImage":              true,
	"ECR.BatchDeleteImage":      true,
}

// readPrefixes are how AWS names operations that only read.
var readPrefixes = []string{"Describe", "List", "Get", "BatchGet", "BatchCheck", "Filter", "Simulate"}

// repeatOf tells how a call (SERVICE.OPERATION, as the SDK names them) may be repeated.
func repeatOf(call string) repeat {
	if repeatable[call] {
		return repeatAny
	}
	_, operation, _ := strings.Cut(call, ".")
	for _, prefix := range readPrefixes {
		if strings.HasPrefix(operation, prefix) {
			return repeatAny
		}
	}
	return repeatUnsent
}
