// Command task is what the tests' containers with secrets start with, in place of medusa-deploy.
package main

import (
	"os"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/docker"
)

func main() {
	docker.Become(os.Args)
	os.Exit(1) // it was not started in a container
}
