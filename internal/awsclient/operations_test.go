package awsclient

import (
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// TestTheTablesNameRealOperations: a slip of the pen would lead a call to the bucket of everything else.
func TestTheTablesNameRealOperations(t *testing.T) {
	clients := map[string]reflect.Type{
		ecs.ServiceID: reflect.TypeFor[*ecs.Client](), ecr.ServiceID: reflect.TypeFor[*ecr.Client](),
		cloudwatchlogs.ServiceID: reflect.TypeFor[*cloudwatchlogs.Client](), iam.ServiceID: reflect.TypeFor[*iam.Client](),
		secretsmanager.ServiceID: reflect.TypeFor[*secretsmanager.Client](), ssm.ServiceID: reflect.TypeFor[*ssm.Client](),
	}
	check := func(call string) {
		service, operation, _ := strings.Cut(call, ".")
		client, ok := clients[service]
		if !ok {
			t.Errorf("%s: no such service", call)
			return
		}
		if _, ok := client.MethodByName(operation); !ok {
			t.Errorf("%s: no such operation", call)
		}
		if _, ok := actionPrefixes[service]; !ok {
			t.Errorf("%s: permissions of this service have no prefix", call)
		}
	}
	for call, c := range categories {
		check(call)
		if b, known := buckets[c]; !known || b.capacity < 1 || b.perSecond <= 0 {
			t.Errorf("%s: category %q allows nothing", call, c)
		}
	}
	for call := range repeatable {
		check(call)
	}
}

func TestRepeatOf(t *testing.T) {
	for call, want := range map[string]repeat{
		"ECS.DescribeServices": repeatAny, "ECS.ListTasks": repeatAny, "ECR.GetAuthorizationToken": repeatAny, "ECR.BatchGetImage": repeatAny,
		"CloudWatch Logs.FilterLogEvents": repeatAny, "IAM.SimulatePrincipalPolicy": repeatAny, "ECS.StopServiceDeployment": repeatAny, "ECS.CreateService": repeatAny,
		"ECS.UpdateService": repeatUnsent, "ECS.RegisterTaskDefinition": repeatUnsent, "ECS.RunTask": repeatAny, "ECS.StopTask": repeatAny, "ECS.StartTask": repeatUnsent, "ECS.SomethingNew": repeatUnsent,
	} {
		if got := repeatOf(call); got != want {
			t.Errorf("%s: got %v, want %v", call, got, want)
		}
	}
}

func TestRetryDelayGrowsToItsBound(t *testing.T) {
	r := &retryer{}
	for attempt := range 100 {
		d, err := r.RetryDelay(attempt, errNobody)
		if err != nil || d <= 0 || d > longestDelay {
			t.Fatalf("attempt %d: %s, %v", attempt, d, err)
		}
		if attempt > 20 && d < longestDelay/2 {
			t.Errorf("attempt %d waits %s only", attempt, d)
		}
	}
}

func FuzzParseDenial(f *testing.F) {
	f.Add("User: arn:u is not authorized to perform: ecs:UpdateService on resource: arn:r because no identity-based policy allows the ecs:UpdateService action")
	f.Add("is not authorized to perform: a with an explicit deny in a service control policy")
	f.Add("User:  is not authorized to perform: ")
	f.Fuzz(func(t *testing.T, message string) {
		d := parseDenial(message, "ecs:UpdateService")
		if d.Action == "" {
			t.Errorf("no action is named for %q", message)
		}
		if d.message() == "" || d.cure() == "" {
			t.Errorf("nothing to tell about %q", message)
		}
	})
}
