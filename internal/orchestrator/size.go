package orchestrator

import (
	"math"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// healthPathTag is the tag of a service that says what a load balancer's health check asks for; local AWS goes by it.
const healthPathTag = "medusa-deploy:health-check-path"

// sizeOf reads a task's cpu or memory: "1024", or a number of the larger unit, which is 1024 of the smaller one: "1 vCPU",
// "2GB". What ECS would not take is 0, as what is not said.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
func sizeOf(text *string, unit string) int {
	number := strings.ToLower(strings.TrimSpace(aws.ToString(text)))
	factor := 1.0
	if short, ok := strings.CutSuffix(number, unit); ok {
		number, factor = strings.TrimSpace(short), 1024
	}
	n, err := strconv.ParseFloat(number, 32)
	if err != nil || math.IsNaN(n) || n < 0 {
		return 0
	}
	return int(n * factor)
}
