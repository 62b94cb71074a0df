package rates

import "slices"

// quota is a rate that AWS documents. The zero quota sets no limit.
type quota struct {
	burst     int // tokens that the bucket holds
	perSecond int // tokens that are added to it
}

// group is a category of operations that draw from one bucket.
type group struct {
	category string
	quota
	operations []string
}

// ecsGroups is the table "Request token bucket sizes and refill rates" of ECS, in its order. StopServiceDeployment is
// not in it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
var ecsGroups = []group{
	{"Cluster modify", quota{20, 1}, []string{"CreateCluster", "DeleteCluster", "PutClusterCapacityProviders", "UpdateCluster", "UpdateClusterSettings"}},
	{"Cluster read", quota{50, 20}, []string{"DescribeClusters", "ListClusters"}},
	{"Task definition modify", quota{20, 1}, []string{"DeregisterTaskDefinition", "RegisterTaskDefinition"}},
	{"Task definition read", quota{50, 20}, []string{"DescribeTaskDefinition", "ListTaskDefinitions", "ListTaskDefinitionFamilies"}},
	{"Task definition deletion", quota{5, 1}, []string{"DeleteTaskDefinitions"}},
	{"Capacity provider modify", quota{10, 1}, []string{"CreateCapacityProvider", "DeleteCapacityProvider", "UpdateCapacityProvider"}},
	{"Capacity provider read", quota{50, 20}, []string{"DescribeCapacityProviders"}},
	{"Tag modify", quota{20, 10}, []string{"TagResource", "UntagResource"}},
	{"Tag read", quota{50, 20}, []string{"ListTagsForResource"}},
	{"Setting modify", quota{10, 1}, []string{"DeleteAccountSetting", "PutAccountSetting", "PutAccountSettingDefault"}},
	{"Setting read", quota{50, 20}, []string{"ListAccountSettings"}},
	{"Cluster resource modify", quota{100, 40}, []string{
		"DeleteAttributes", "DeregisterContainerInstance", "ExecuteCommand", "PutAttributes", "RunTask", "StartTask", "StopTask",
		"UpdateContainerAgent", "UpdateContainerInstancesState",
	}},
	{"Cluster resource read", quota{100, 20}, []string{"DescribeContainerInstances", "DescribeTasks", "ListAttributes", "ListContainerInstances", "ListTasks"}},
	{"Agent modify", quota{200, 120}, []string{"RegisterContainerInstance", "SubmitAttachmentStateChanges", "SubmitContainerStateChange", "SubmitTaskStateChange"}},
	{"Service modify", quota{50, 5}, []string{"CreateService", "DeleteService", "UpdateService"}},
	{"Service read", quota{100, 20}, []string{"DescribeServices", "ListServices"}},
	{"Service deployment", quota{50, 20}, []string{"DescribeServiceDeployments", "ListServiceDeployments"}},
	{"Service revision", quota{50, 20}, []string{"DescribeServiceRevisions"}},
	{"Task protection", quota{200, 80}, []string{"GetTaskProtection", "UpdateTaskProtection"}},
	{"Cluster service resource read", quota{10, 1}, []string{"ListServicesByNamespace"}},
}

// perOperation are the services that document a rate for an operation and no burst: a second's worth is the bucket.
// Those of CloudWatch Logs are us-east-1's.
//
//   - https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
//   - https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
var perOperation = map[string]map[string]int{
	"ecr": {
		"BatchCheckLayerAvailability": 1000, "BatchGetImage": 2000, "CompleteLayerUpload": 100, "GetAuthorizationToken": 500,
		"GetDownloadUrlForLayer": 3000, "InitiateLayerUpload": 100, "PutImage": 10, "UploadLayerPart": 500,
	},
	"logs": {
		"CreateLogGroup": 10, "CreateLogStream": 50, "DeleteLogGroup": 10, "DeleteLogStream": 15, "DeleteRetentionPolicy": 5,
		"DescribeLogGroups": 10, "DescribeLogStreams": 25, "FilterLogEvents": 25, "GetLogEvents": 25, "ListTagsForResource": 5,
		"PutLogEvents": 5000, "PutRetentionPolicy": 5, "TagResource": 5, "UntagResource": 5,
	},
}

// quotaOf gives the bucket that an operation draws from.
func quotaOf(service, operation string) (category string, q quota) {
	if service == "ecs" {
		for _, g := range ecsGroups {
			if slices.Contains(g.operations, operation) {
				return "ecs " + g.category, g.quota
			}
		}
		return "", quota{}
	}
	perSecond := perOperation[service][operation]
	return service + " " + operation, quota{perSecond, perSecond}
}
