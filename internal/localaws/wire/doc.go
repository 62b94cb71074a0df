// Package wire serves AWS's wire protocols for local AWS: it verifies Signature Version 4, finds the service by the
// signing name, decodes AWS JSON 1.1 and Query requests into the SDK's input types, calls the backend method that has
// the operation's name, and encodes its output or error as AWS would.
//
// A service is a plain value whose exported methods of the shape
//
//	func (b *Backend) DescribeServices(context.Context, *ecs.DescribeServicesInput) (*ecs.DescribeServicesOutput, error)
//
// are its operations. What an output says on the wire follows from the Go value:
//   - a nil pointer, a nil map and an empty enum are left out; plain numbers and booleans are always sent, also zero;
//   - a nil slice that is a member of the output itself is sent as [], because clients loop over it; deeper down a nil
//     slice is left out, and an empty one that is not nil is sent as [].
//
// The package knows protocols and shapes. It must not know what any operation means, nor import a service package.
package wire
