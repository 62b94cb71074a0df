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

// allowance is a token bucket's size and refill.
type allowance struct {
	burst     int
	perSecond float64
}

// category is a group of operations that AWS counts together.
type category string

// The categories and their allowances, per account and region. ECS documents its own; for the others these stay below
// the default quotas, which leaves room for whoever else uses the account.
//
//   - https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
//   - https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
//   - https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
//   - https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const (
	ecsClusterModify    category = "ecs cluster modify"
	ecsClusterRead      category = "ecs cluster read"
	ecsDefinitionModify category = "ecs task definition modify"
	ecsDefinitionRead   category = "ecs task definition read"
	ecsServiceModify    category = "ecs service modify"
	ecsServiceRead      category = "ecs service read"
	ecsDeploymentModify category = "ecs service deployment modify"
	ecsDeploymentRead   category = "ecs service deployment read"
	ecsTaskModify       category = "ecs task modify"
	ecsTaskRead         category = "ecs task read"
	ecsTagModify        category = "ecs tag modify"
	ecsTagRead          category = "ecs tag read"
	ecrToken            category = "ecr token"
	ecrModify           category = "ecr modify"
	ecrRead             category = "ecr read"
	logsGet             category = "logs get"
	logsFilter          category = "logs filter"
	logsDescribe        category = "logs describe"
	secretsRead         category = "secrets read"
	parametersRead      category = "parameters read"
	iamSimulate         category = "iam simulate"
	everythingElse      category = "everything else"
)

var allowances = map[category]allowance{
	ecsClusterModify:    {20, 1},
	ecsClusterRead:      {50, 20},
	ecsDefinitionModify: {20, 1},
	ecsDefinitionRead:   {50, 20},
	ecsServiceModify:    {50, 5},
	ecsServiceRead:      {100, 20},
	ecsDeploymentModify: {20, 1},
	ecsDeploymentRead:   {50, 20},
	ecsTaskModify:       {100, 40},
	ecsTaskRead:         {100, 20},
	ecsTagModify:        {20, 10},
	ecsTagRead:          {50, 20},
	ecrToken:            {10, 10},
	ecrModify:           {10, 5},
	ecrRead:             {50, 20},
	logsGet:             {10, 5},
	logsFilter:          {5, 2},
	logsDescribe:        {10, 5},
	secretsRead:         {40, 20},
	parametersRead:      {10, 5},
	iamSimulate:         {10, 5},
	everythingElse:      {10, 5},
}

var categories = map[string]category{
	"ECS.CreateCluster":              ecsClusterModify,
	"ECS.DescribeClusters":           ecsClusterRead,
	"ECS.RegisterTaskDefinition":     ecsDefinitionModify,
	"ECS.DescribeTaskDefinition":     ecsDefinitionRead,
	"ECS.CreateService":              ecsServiceModify,
	"ECS.UpdateService":              ecsServiceModify,
	"ECS.DescribeServices":           ecsServiceRead,
	"ECS.StopServiceDeployment":      ecsDeploymentModify,
	"ECS.ListServiceDeployments":     ecsDeploymentRead,
	"ECS.DescribeServiceDeployments": ecsDeploymentRead,
	"ECS.DescribeServiceRevisions":   ecsDeploymentRead,
	"ECS.RunTask":                    ecsTaskModify,
	"ECS.StopTask":                   ecsTaskModify,
	"ECS.TagResource":                ecsTagModify,
	"ECS.ListTagsForResource":        ecsTagRead,
	"ECS.ListTasks":                  ecsTaskRead,
	"ECS.DescribeTasks":              ecsTaskRead,
	"ECR.GetAuthorizationToken":      ecrToken,
	"ECR.CreateRepository":           ecrModify,
	"ECR.PutImage":                   ecrModify,
	"ECR.BatchDeleteImage":           ecrModify,
	"ECR.DescribeImages":             ecrRead,
	"ECR.DescribeRepositories":       ecrRead,
	"ECR.GetLifecyclePolicy":         ecrRead,
	"ECR.BatchGetImage":              ecrRead,
	"CloudWatch Logs.GetLogEvents":   logsGet,
	// 5 a second and account is all there is, the console's users included.
	"CloudWatch Logs.FilterLogEvents":   logsFilter,
	"CloudWatch Logs.DescribeLogGroups": logsDescribe,
	"Secrets Manager.DescribeSecret":    secretsRead,
	"SSM.DescribeParameters":            parametersRead,
	"IAM.SimulatePrincipalPolicy":       iamSimulate,
}

func categoryOf(call string) category {
	if c, ok := categories[call]; ok {
		return c
	}
	return everythingElse
}
