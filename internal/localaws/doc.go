// Package localaws is the local AWS as one program: it wires the services (ecr, ecs, elb, logs, sts), the wire protocols
// and the container engine into one loopback listener, and has its life: Serve, Up, Down, Inspect, Reset.
//
// All that it keeps is below one directory, of which one process at a time is the server. It must not know the release
// pipeline: the two meet only over the wire.
package localaws
