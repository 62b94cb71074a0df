// Package ecs is Amazon ECS for one machine: clusters, task definitions, services, tasks, service deployments and
// revisions, and the scheduler that makes what runs match what is wanted. The exported methods of Backend that have the
// shape of an operation are the API, on the SDK's own types.
//
// It reaches containers, images, load balancers and logs through the ports in ports.go and the engine, and must not know
// how any of them works, nor anything of HTTP.
package ecs
