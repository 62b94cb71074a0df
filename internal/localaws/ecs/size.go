package ecs

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// taskSize is what a task may use: CPU units (1024 a vCPU) and MiB; 0 where nothing is said.
type taskSize struct{ cpu, memory int64 }

// taskSizeOf reads a task's size and holds it to what ECS accepts.
func taskSizeOf(in *awsecs.RegisterTaskDefinitionInput) (taskSize, error) {
	cpu, ok := parseSize(in.Cpu, "vcpu")
	if !ok {
		return taskSize{}, clientError("Invalid 'cpu' setting for task.")
	}
	memory, ok := parseSize(in.Memory, "gb")
	if !ok {
		return taskSize{}, clientError("Invalid 'memory' setting for task.")
	}
	size := taskSize{cpu, memory}
	for _, c := range in.ContainerDefinitions {
		if memory > 0 && int64(aws.ToInt32(c.Memory)) > memory {
			return size, clientError("The 'memory' setting for container is greater than for the task.")
		}
	}
	if slices.Contains(in.RequiresCompatibilities, types.CompatibilityFargate) {
		return size, checkFargate(in, size)
	}
	return size, nil
}

var sizePattern = regexp.MustCompile(`^([0-9]{0,9})(\.[0-9]{1,6})?\s*([a-z]*)$`)

// parseSize reads "1024", or a number of the larger unit: "1 vCPU" of CPU units, ".5GB" of MiB, 1024 of each in one.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
func parseSize(text *string, unit string) (n int64, ok bool) {
	if text == nil {
		return 0, true
	}
	parts := sizePattern.FindStringSubmatch(strings.ToLower(strings.TrimSpace(*text)))
	if parts == nil || parts[1]+parts[2] == "" || parts[3] != "" && parts[3] != unit || parts[3] == "" && parts[2] != "" {
		return 0, false
	}
	number, err := strconv.ParseFloat(parts[1]+parts[2], 64)
	if err != nil {
		return 0, false
	}
	if parts[3] == unit {
		number *= 1024
	}
	return int64(number), number >= 1 && number == float64(int64(number))
}

// number writes a size as ECS gives it back; nothing for 0.
func number(n int64) *string {
	if n == 0 {
		return nil
	}
	return aws.String(strconv.FormatInt(n, 10))
}

// checkFargate refuses what Fargate does not run.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
func checkFargate(in *awsecs.RegisterTaskDefinitionInput, size taskSize) error {
	switch {
	case in.NetworkMode != types.NetworkModeAwsvpc:
		return clientError("Fargate only supports network mode ‘awsvpc’.")
	case size.cpu == 0:
		return clientError("Fargate requires that 'cpu' be defined at the task level.")
	case size.memory == 0:
		return clientError("Fargate requires that 'memory' be defined at the task level.")
	case !fargateSize(size):
		return clientError("No Fargate configuration exists for given values: %d CPU, %d memory. See the Amazon ECS documentation for the valid values.", size.cpu, size.memory)
	}
	for _, c := range in.ContainerDefinitions {
		switch {
		case aws.ToBool(c.Privileged):
			return clientError("Fargate does not support privileged containers: %s", aws.ToString(c.Name))
		case c.LogConfiguration != nil && aws.ToString(in.ExecutionRoleArn) == "":
			return clientError("Fargate requires task definition to have execution role ARN to support log driver %s.", c.LogConfiguration.LogDriver)
		case strings.Contains(aws.ToString(c.Image), ".dkr.ecr.") && aws.ToString(in.ExecutionRoleArn) == "":
			return clientError("Fargate requires task definition to have execution role ARN to support ECR images.")
		}
	}
	return nil
}

// fargateSize reports whether Fargate has tasks of a size. Of 256 units there are three memory sizes; above, memory goes
// from a least to a most in steps.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
func fargateSize(s taskSize) bool {
	const gib = 1024
	within := func(least, most, step int64) bool {
		return least*gib <= s.memory && s.memory <= most*gib && s.memory%(step*gib) == 0
	}
	switch s.cpu {
	case 256:
		return s.memory == gib/2 || within(1, 2, 1)
	case 512:
		return within(1, 4, 1)
	case 1024:
		return within(2, 8, 1)
	case 2048:
		return within(4, 16, 1)
	case 4096:
		return within(8, 30, 1)
	case 8192:
		return within(16, 60, 4)
	case 16384:
		return within(32, 120, 8)
	}
	return false
}
