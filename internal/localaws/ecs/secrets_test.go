package ecs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

const (
	canary    = "CANARY"
	secretARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:medusa/db-AbCdEf"
)

// withSecrets gives a container secrets: NAME, valueFrom and so on.
func withSecrets(c types.ContainerDefinition, pairs ...string) types.ContainerDefinition {
	for pair := range slices.Chunk(pairs, 2) {
		c.Secrets = append(c.Secrets, types.Secret{Name: &pair[0], ValueFrom: &pair[1]})
	}
	return c
}

// keep puts a value where the tasks' region has its secrets.
func (w *world) keep(q SecretQuery, value string) {
	w.secrets.mu.Lock()
	defer w.secrets.mu.Unlock()
	if w.secrets.secrets[testRegion] == nil {
		w.secrets.secrets[testRegion] = map[SecretQuery]string{}
	}
	w.secrets.secrets[testRegion][q] = value
}

func TestSecretsReachTheContainerAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.keep(SecretQuery{ID: secretARN}, `{"url":"`+canary+`-json","port":5432,"tls":true}`)
		w.keep(SecretQuery{ID: secretARN, Stage: "green"}, canary+"-green")
		w.keep(SecretQuery{ID: secretARN, Version: "0123456789abcdef0123456789abcdef"}, canary+"-version")
		w.keep(SecretQuery{ID: secretARN[:len(secretARN)-7]}, canary+"-partial")
		there := "arn:aws:ssm:eu-west-1:000000000000:parameter/medusa/redis"
		w.secrets.parameters[testRegion] = map[string]string{"/medusa/jwt": canary + "-jwt", "plain": canary + "-plain"}
		w.secrets.parameters["eu-west-1"] = map[string]string{there: canary + "-redis"}
		for i := range 12 {
			w.secrets.parameters[testRegion][fmt.Sprintf("many-%02d", i)] = canary
		}
		w.images.push("v1", simulated.Behaviour{})
		w.images.pushAs("side:1", "side", simulated.Behaviour{})
		app := withSecrets(container("app", "app:latest"),
			"ALL", secretARN, "URL", secretARN+":url::", "PORT", secretARN+":port::", "TLS", secretARN+":tls::",
			"GREEN", secretARN+"::green:", "VERSION", secretARN+":::0123456789abcdef0123456789abcdef", "PARTIAL", secretARN[:len(secretARN)-7],
			"JWT", "/medusa/jwt", "PLAIN", "plain", "REDIS", there)
		for i := range 12 {
			app = withSecrets(app, fmt.Sprintf("MANY_%d", i), fmt.Sprintf("many-%02d", i))
		}
		w.register(app, withSecrets(container("side", "side:1"), "TOKEN", "plain"))
		w.steady(1, nil)
		task := w.tasks(types.DesiredStatusRunning)[0]
		got := w.engine.spec(lastPart(*task.TaskArn) + ".app").SecretEnv
		want := []string{
			"ALL=" + `{"url":"` + canary + `-json","port":5432,"tls":true}`, "URL=" + canary + "-json", "PORT=5432", "TLS=true", "GREEN=" + canary + "-green",
			"VERSION=" + canary + "-version", "PARTIAL=" + canary + "-partial", "JWT=" + canary + "-jwt", "PLAIN=" + canary + "-plain", "REDIS=" + canary + "-redis",
		}
		if len(got) != len(want)+12 || !slices.Equal(got[:len(want)], want) {
			t.Errorf("the container got\n%v, want\n%v and 12 more", got, want)
		}
		if got := w.engine.spec(lastPart(*task.TaskArn) + ".side").SecretEnv; !slices.Equal(got, []string{"TOKEN=" + canary + "-plain"}) {
			t.Errorf("the other container got %v", got)
		}
		w.wantNoCanary()
	})
}

// wantNoCanary looks for a secret's value in all that ECS tells, and in what it stored.
func (w *world) wantNoCanary() {
	w.Helper()
	definition, err := w.b.DescribeTaskDefinition(w.ctx, &awsecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("web")})
	w.check(err)
	told := deep(definition) + deep(w.tasks(types.DesiredStatusRunning)) + deep(w.tasks(types.DesiredStatusStopped)) + deep(w.describe())
	if strings.Contains(told, canary) {
		w.Errorf("ECS tells a secret's value: %s", told)
	}
	stored, err := os.ReadFile(filepath.Join(w.dir, "state.db"))
	if err != nil || bytes.Contains(stored, []byte(canary)) {
		w.Errorf("a secret's value is in the state (%v)", err)
	}
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	for id, spec := range w.engine.specs {
		if strings.Contains(strings.Join(spec.Env, "\n"), canary) {
			w.Errorf("%s has a secret among its plain variables", id)
		}
	}
}

// A secret that cannot be had counts as a failed task: the breaker rolls back, and the old tasks never stop.
func TestSecretsThatCannotBeHad(t *testing.T) {
	const begins = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
	const retried = "service call has been retried 1 time(s): "
	const asm, ssm = begins + "unable to retrieve secret from asm: ", begins + "unable to retrieve secrets from ssm: "
	denied := errors.New("AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/r/t is not authorized to perform: secretsmanager:GetSecretValue")
	other := strings.Replace(secretARN, "db-", "none-", 1)
	for name, tt := range map[string]struct {
		from   string
		refuse error
		reason string
	}{
		"no secret":        {other, nil, asm + retried + "failed to fetch secret " + other + " from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."},
		"no secret, a key": {other + ":url::", nil, asm + retried + "failed to fetch secret " + other + " from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."},
		"no key":           {secretARN + ":password::", nil, asm + retried + "retrieved secret from Secrets Manager did not contain json key password"},
		"no JSON":          {secretARN + ":url:text:", nil, asm + retried + "invalid character looking for beginning of value"},
		"no ARN":           {secretARN + ":url", nil, asm + "trying to retrieve secret with value " + secretARN + ":url resulted in error: an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN and try again."},
		"another service":  {"arn:aws:s3:::bucket/env", nil, asm + "trying to retrieve secret with value arn:aws:s3:::bucket/env resulted in error: an invalid ARN format"},
		"no access":        {secretARN, denied, asm + retried + "failed to fetch secret " + secretARN + " from secrets manager: " + denied.Error()},
		"no parameter":     {"/medusa/none", nil, ssm + retried + "invalid ssm parameters: /medusa/none"},
		"no parameter ARN": {"arn:aws:ssm:us-east-1:000000000000:parameter/medusa/none", nil, ssm + retried + "invalid ssm parameters: /medusa/none"},
		"one level":        {"arn:aws:ssm:us-east-1:000000000000:parameter/none", nil, ssm + retried + "invalid ssm parameters: none"},
		"a NUL":            {secretARN + "::nul:", nil, "CannotCreateContainerError: the value of the secret TOKEN has a NUL character in it"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.keep(SecretQuery{ID: secretARN}, `{"url":"`+canary+`"}`)
				w.keep(SecretQuery{ID: secretARN, Stage: "text"}, canary)
				w.keep(SecretQuery{ID: secretARN, Stage: "nul"}, canary+"\x00")
				w.v1(nil)
				old := arns(w.tasks(types.DesiredStatusRunning))
				w.secrets.mu.Lock()
				w.secrets.refuse = tt.refuse
				w.secrets.mu.Unlock()
				w.register(withSecrets(container("app", "app:latest"), "TOKEN", tt.from))
				arn := w.update(&awsecs.UpdateServiceInput{TaskDefinition: aws.String("web")})
				w.outcome(arn, types.ServiceDeploymentStatusRollbackSuccessful, 10*time.Minute)
				w.wantRolledBack(arn, old, 3)
				for _, task := range w.failedTasks() {
					if task.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.HasPrefix(*task.StoppedReason, tt.reason) {
						t.Errorf("%s: %s\nwant %s", task.StopCode, *task.StoppedReason, tt.reason)
					}
				}
				w.wantNoCanary()
			})
		})
	}
}

func TestSecretsThatCannotBeRegistered(t *testing.T) {
	inWorld(t, func(w *world) {
		role := aws.String("arn:aws:iam::000000000000:role/r")
		twice := withSecrets(container("app", "app:latest"), "A", secretARN, "A", secretARN)
		plain := withSecrets(container("app", "app:latest"), "A", secretARN)
		plain.Environment = []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("1")}}
		const invalidName = "The Systems Manager parameter name specified for secret A is invalid. The parameter name can be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-/"
		const shared = "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'A'."
		for _, tt := range []struct {
			role    *string
			c       types.ContainerDefinition
			message string
		}{
			{nil, withSecrets(container("app", "app:latest"), "A", secretARN), "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."},
			{role, twice, shared},
			{role, plain, shared},
			{role, withSecrets(container("app", "app:latest"), "", secretARN), "Container app: secrets.name must name an environment variable."},
			{role, withSecrets(container("app", "app:latest"), "A", "medusa:url::"), invalidName},
			{role, withSecrets(container("app", "app:latest"), "A", ""), invalidName},
		} {
			_, err := w.b.RegisterTaskDefinition(w.ctx, &awsecs.RegisterTaskDefinitionInput{Family: aws.String("web"), ExecutionRoleArn: tt.role, ContainerDefinitions: []types.ContainerDefinition{tt.c}})
			wantCode(t, err, "ClientException", tt.message)
		}
	})
}

// A task that was being started when local AWS ended is started with its secrets when it comes back.
func TestSecretsAfterARestart(t *testing.T) {
	inWorld(t, func(w *world) {
		w.keep(SecretQuery{ID: secretARN}, canary)
		w.images.push("slow", simulated.Behaviour{PullTime: time.Minute})
		w.register(withSecrets(container("app", "app:latest"), "TOKEN", secretARN))
		arn := w.run(nil)
		time.Sleep(time.Second)
		w.halt()
		w.start()
		w.until("RUNNING", 5*time.Minute, func() bool { return *w.task(arn).LastStatus == statusRunning })
		if got := w.engine.spec(lastPart(arn) + ".app").SecretEnv; !slices.Equal(got, []string{"TOKEN=" + canary}) {
			t.Errorf("the container got %v", got)
		}
		w.wantNoCanary()
	})
}

func FuzzReference(f *testing.F) {
	for _, text := range []string{secretARN, secretARN + ":k:s:v", "arn:aws:ssm:us-east-1:1:parameter/a/b", "/a/b", "arn:", "arn:aws:secretsmanager:::secret:", "x:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := referenceOf(text, testRegion)
		if err == nil && text != "" && (r.parameter == "") == (r.secret.ID == "") { // an empty one is refused before
			t.Errorf("%q is %+v: neither a secret nor a parameter, or both", text, r)
		}
	})
}
