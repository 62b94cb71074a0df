// Command medusa-deploy takes a containerised app from a commit to verified running on Amazon ECS.
package main

import (
	"os"

	"github.com/medusa-deploy/medusa-deploy/internal/cli"
)

func main() { os.Exit(cli.Main(cli.OS(), os.Args[1:])) }
