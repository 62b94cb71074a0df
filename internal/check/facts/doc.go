// Package facts answers what check asks of an AWS account: about tags and lifecycle policies in ECR, secrets and
// parameters, log groups, and what IAM lets a role do.
//
// It only reads, and never a secret's value. It implements check.Cloud on AWS's SDK, and must not know what the answers
// are good for.
package facts
