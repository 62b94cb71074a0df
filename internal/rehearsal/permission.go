package rehearsal

import (
	"net/http"
	"strings"
)

// prefixes are the IAM prefixes of the services that local AWS has, by the beginning of X-Amz-Target.
var prefixes = map[string]string{
	"AmazonEC2ContainerServiceV20141113": "ecs", "AmazonEC2ContainerRegistry_V20150921": "ecr", "Logs_20140328": "logs",
	"secretsmanager": "secretsmanager", "AmazonSSM": "ssm",
}

// registryActions are the IAM actions that ECR asks for when a client speaks the registry's own protocol.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
var registryActions = map[string][]string{
	"HEAD blobs":          {"ecr:BatchCheckLayerAvailability"},
	"GET blobs":           {"ecr:GetDownloadUrlForLayer"},
	"POST blobs/uploads":  {"ecr:InitiateLayerUpload"},
	"PATCH blobs/uploads": {"ecr:UploadLayerPart"},
	"PUT blobs/uploads":   {"ecr:CompleteLayerUpload"},
	"HEAD manifests":      {"ecr:BatchGetImage"},
	"GET manifests":       {"ecr:BatchGetImage"},
	"PUT manifests":       {"ecr:PutImage"},
	"GET referrers":       {"ecr:ListImageReferrers"},
}

// permissions are the IAM actions that a call needs. GetCallerIdentity needs none.
func permissions(r *http.Request, operation string, p protocol) []string {
	switch p {
	case protocolRegistry:
		actions := registryActions[operation]
		if operation == "PUT blobs/uploads" && r.ContentLength > 0 { // the layer comes with it
			actions = append([]string{"ecr:UploadLayerPart"}, actions...)
		}
		return actions
	case protocolJSON:
		service, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		return []string{prefixes[service] + ":" + operation}
	}
	return nil
}
