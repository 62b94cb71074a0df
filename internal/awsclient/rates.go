package awsclient

// bucket is a token bucket of AWS's: how many calls it holds, and how many it wins back a second.
type bucket struct {
	capacity  float64
	perSecond float64
}

// category is a group of operations that share a bucket, per account and region.
type category string

// ECS's own categories, from its table of bucket sizes and refill rates.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
const (
	ecsClusterModify    category = "ecs cluster modify"
	ecsClusterRead      category = "ecs cluster read"
	ecsDefinitionModify category = "ecs task definition modify"
	ecsDefinitionRead   category = "ecs task definition read"
	ecsTagModify        category = "ecs tag modify"
	ecsTagRead          category = "ecs tag read"
	ecsResourceModify   category = "ecs cluster resource modify"
	ecsResourceRead     category = "ecs cluster resource read"
	ecsServiceModify    category = "ecs service modify"
	ecsServiceRead      category = "ecs service read"
	ecsDeployment       category = "ecs service deployment"
	ecsRevision         category = "ecs service revision"
)

// Categories of ours, for what AWS documents otherwise or not at all.
const (
	// ecsRunTask: on Fargate, RunTask has a rate of its own, below that of its category.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html
	ecsRunTask category = "ecs run task"
	// ecsDeploymentStop: no rate is documented for StopServiceDeployment. It is a change of a service.
	ecsDeploymentStop category = "ecs service deployment stop"
	// ECR and CloudWatch Logs document a rate for each operation and no burst. Those of CloudWatch Logs differ between
	// regions: these are the lowest.
	// https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
	ecrToken   category = "ecr token"
	ecrPut     category = "ecr put image"
	ecrGet     category = "ecr batch get image"
	ecrRead    category = "ecr read"   // no rate is documented
	ecrModify  category = "ecr modify" // no rate is documented
	logsGet    category = "logs get"
	logsFilter category = "logs filter"
	logsGroups category = "logs describe groups"
	// The other services are asked for a thing or two, before a release.
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
	secretsRead    category = "secrets read"
	parametersRead category = "parameters read"
	iamSimulate    category = "iam simulate"
	// everythingElse documents no rate, or none that a release could come near.
	everythingElse category = "everything else"
)

var buckets = map[category]bucket{
	ecsClusterModify:    {20, 1},
	ecsClusterRead:      {50, 20},
	ecsDefinitionModify: {20, 1},
	ecsDefinitionRead:   {50, 20},
	ecsTagModify:        {20, 10},
	ecsTagRead:          {50, 20},
	ecsResourceModify:   {100, 40},
	ecsResourceRead:     {100, 20},
	ecsServiceModify:    {50, 5},
	ecsServiceRead:      {100, 20},
	ecsDeployment:       {50, 20},
	ecsRevision:         {50, 20},
	ecsRunTask:          {100, 20},
	ecsDeploymentStop:   {50, 5},
	ecrToken:            {500, 500},
	ecrPut:              {10, 10},
	ecrGet:              {2000, 2000},
	ecrRead:             {50, 20},
	ecrModify:           {10, 5},
	logsGet:             {10, 10},
	logsFilter:          {5, 5},
	logsGroups:          {10, 10},
	secretsRead:         {40, 20},
	parametersRead:      {10, 5},
	iamSimulate:         {10, 5},
	everythingElse:      {10, 5},
}

// share is the part of AWS's rates that this program takes. The rest is for whoever else calls in the account: the
// console, autoscaling, other releases.
const share = 0.9

// allowance is what the program takes of a bucket. AWS may give a second's refill in one lump at the end of the second,
// so that a bucket of which the burst was taken can be a second's refill behind a steady one: that much of the burst
// stays untouched. With it no call of a program that is alone in its account meets a throttle.
func (b bucket) allowance() (burst int, perSecond float64) {
	return max(1, int(share*(b.capacity-b.perSecond))), share * b.perSecond
}

var categories = map[string]category{
	"ECS.CreateCluster":              ecsClusterModify,
	"ECS.DescribeClusters":           ecsClusterRead,
	"ECS.ListClusters":               ecsClusterRead,
	"ECS.RegisterTaskDefinition":     ecsDefinitionModify,
	"ECS.DeregisterTaskDefinition":   ecsDefinitionModify,
	"ECS.DescribeTaskDefinition":     ecsDefinitionRead,
	"ECS.ListTaskDefinitions":        ecsDefinitionRead,
	"ECS.ListTaskDefinitionFamilies": ecsDefinitionRead,
	"ECS.TagResource":                ecsTagModify,
	"ECS.UntagResource":              ecsTagModify,
	"ECS.ListTagsForResource":        ecsTagRead,
	"ECS.CreateService":              ecsServiceModify,
	"ECS.UpdateService":              ecsServiceModify,
	"ECS.DeleteService":              ecsServiceModify,
	"ECS.DescribeServices":           ecsServiceRead,
	"ECS.ListServices":               ecsServiceRead,
	"ECS.ListServiceDeployments":     ecsDeployment,
	"ECS.DescribeServiceDeployments": ecsDeployment,
	"ECS.StopServiceDeployment":      ecsDeploymentStop,
	"ECS.DescribeServiceRevisions":   ecsRevision,
	"ECS.RunTask":                    ecsRunTask,
	"ECS.StopTask":                   ecsResourceModify,
	"ECS.ExecuteCommand":             ecsResourceModify,
	"ECS.ListTasks":                  ecsResourceRead,
	"ECS.DescribeTasks":              ecsResourceRead,
	"ECR.GetAuthorizationToken":      ecrToken,
	"ECR.PutImage":                   ecrPut,
	"ECR.CreateRepository":           ecrModify,
	"ECR.BatchDeleteImage":           ecrModify,
	"ECR.DescribeImages":             ecrRead,
	"ECR.ListImageReferrers":         ecrRead,
	"ECR.DescribeRepositories":       ecrRead,
	"ECR.GetLifecyclePolicy":         ecrRead,
	"ECR.BatchGetImage":              ecrGet,
	"CloudWatch Logs.GetLogEvents":   logsGet,
	// 5 a second and account is all there is in some regions, the console's users included.
	"CloudWatch Logs.FilterLogEvents":   logsFilter,
	"CloudWatch Logs.DescribeLogGroups": logsGroups,
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
