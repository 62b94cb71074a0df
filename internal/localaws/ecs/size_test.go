package ecs

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func TestParseSize(t *testing.T) {
	for _, tt := range []struct {
		text, unit string
		want       int64
		ok         bool
	}{
		{"256", "vcpu", 256, true},
		{".25 vCPU", "vcpu", 256, true},
		{"1 vcpu", "vcpu", 1024, true},
		{"1GB", "gb", 1024, true},
		{" 0.5 GB ", "gb", 512, true},
		{"512", "gb", 512, true},
		{"1GB", "vcpu", 0, false},
		{"0.5", "gb", 0, false},
		{"0.0001GB", "gb", 0, false},
		{"0", "gb", 0, false},
		{"-1", "gb", 0, false},
		{"", "gb", 0, false},
		{".", "gb", 0, false},
		{"1e3", "gb", 0, false},
		{"much", "gb", 0, false},
	} {
		if got, ok := parseSize(&tt.text, tt.unit); ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseSize(%q, %s) = %d, %t; want %d, %t", tt.text, tt.unit, got, ok, tt.want, tt.ok)
		}
	}
	if got, ok := parseSize(nil, "gb"); got != 0 || !ok {
		t.Errorf("nothing is %d, %t", got, ok)
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("1 GB")
	f.Add(".5gb")
	f.Add("999999999.999999GB")
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := parseSize(&text, "gb")
		if !ok {
			return
		}
		plain := strconv.FormatInt(n, 10)
		if again, ok := parseSize(&plain, "gb"); n < 1 || n < 1e9 && (!ok || again != n) {
			t.Errorf("%q is %d, which reads as %d, %t", text, n, again, ok)
		}
	})
}

func TestFargate(t *testing.T) {
	fargate := func(change func(*awsecs.RegisterTaskDefinitionInput)) *awsecs.RegisterTaskDefinitionInput {
		in := &awsecs.RegisterTaskDefinitionInput{
			Family: aws.String("web"), NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String(".5 vCPU"), Memory: aws.String("1 GB"),
			RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, ContainerDefinitions: []types.ContainerDefinition{container("app", "app:latest")},
		}
		change(in)
		return in
	}
	inWorld(t, func(w *world) {
		for _, tt := range []struct {
			change  func(*awsecs.RegisterTaskDefinitionInput)
			message string
		}{
			{func(in *awsecs.RegisterTaskDefinitionInput) { in.NetworkMode = "" }, "Fargate only supports network mode ‘awsvpc’."},
			{func(in *awsecs.RegisterTaskDefinitionInput) { in.Cpu = nil }, "Fargate requires that 'cpu' be defined at the task level."},
			{func(in *awsecs.RegisterTaskDefinitionInput) { in.Memory = nil }, "Fargate requires that 'memory' be defined at the task level."},
			{func(in *awsecs.RegisterTaskDefinitionInput) { in.Cpu = aws.String("lots") }, "Invalid 'cpu' setting for task."},
			{func(in *awsecs.RegisterTaskDefinitionInput) { in.Memory = aws.String("lots") }, "Invalid 'memory' setting for task."},
			{
				func(in *awsecs.RegisterTaskDefinitionInput) { in.Memory = aws.String("512") },
				"No Fargate configuration exists for given values: 512 CPU, 512 memory. See the Amazon ECS documentation for the valid values.",
			},
			{
				func(in *awsecs.RegisterTaskDefinitionInput) { in.ContainerDefinitions[0].Memory = aws.Int32(1025) },
				"The 'memory' setting for container is greater than for the task.",
			},
			{
				func(in *awsecs.RegisterTaskDefinitionInput) {
					in.ContainerDefinitions[0].Privileged = aws.Bool(true)
				},
				"Fargate does not support privileged containers: app",
			},
			{
				func(in *awsecs.RegisterTaskDefinitionInput) {
					in.ContainerDefinitions[0] = logged(in.ContainerDefinitions[0])
				},
				"Fargate requires task definition to have execution role ARN to support log driver awslogs.",
			},
			{
				func(in *awsecs.RegisterTaskDefinitionInput) {
					in.ContainerDefinitions[0].Image = aws.String("000000000000.dkr.ecr.us-east-1.amazonaws.com/app:latest")
				},
				"Fargate requires task definition to have execution role ARN to support ECR images.",
			},
		} {
			_, err := w.b.RegisterTaskDefinition(w.ctx, fargate(tt.change))
			wantCode(t, err, "ClientException", tt.message)
		}
		out, err := w.b.RegisterTaskDefinition(w.ctx, fargate(func(*awsecs.RegisterTaskDefinitionInput) {}))
		w.check(err)
		if d := out.TaskDefinition; d.Revision != 1 || *d.Cpu != "512" || *d.Memory != "1024" {
			t.Errorf("revision %d with %s CPU units and %s MiB", d.Revision, *d.Cpu, *d.Memory)
		}
	})
}

func TestFargateSizes(t *testing.T) {
	const gib = 1024
	for size, want := range map[taskSize]bool{
		{256, 512}: true, {256, 1 * gib}: true, {256, 2 * gib}: true, {256, 3 * gib}: false, {256, 1536}: false,
		{512, 1 * gib}: true, {512, 4 * gib}: true, {512, 5 * gib}: false,
		{1024, 1 * gib}: false, {1024, 2 * gib}: true, {1024, 8 * gib}: true,
		{2048, 16 * gib}: true, {2048, 17 * gib}: false,
		{4096, 8 * gib}: true, {4096, 30 * gib}: true, {4096, 31 * gib}: false,
		{8192, 16 * gib}: true, {8192, 18 * gib}: false, {8192, 60 * gib}: true,
		{16384, 32 * gib}: true, {16384, 36 * gib}: false, {16384, 120 * gib}: true,
		{300, 512}: false,
	} {
		if got := fargateSize(size); got != want {
			t.Errorf("%+v: %t, want %t", size, got, want)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		container *int32
		task      *string
		override  *string
		want      int64
	}{
		{aws.Int32(64), aws.String("512"), nil, 64 * mib},
		{nil, aws.String("512"), nil, 512 * mib},
		{nil, aws.String("512"), aws.String("1 GB"), 1024 * mib},
		{nil, nil, nil, 0},
	} {
		d := &taskDefinition{Def: types.TaskDefinition{Memory: tt.task}}
		running := &task{T: types.Task{Overrides: &types.TaskOverride{Memory: tt.override}}}
		if got := memoryBytes(running, d, types.ContainerDefinition{Memory: tt.container}); got != tt.want {
			t.Errorf("limit %d, want %d", got, tt.want)
		}
	}
}
