// Package check finds what would break a deploy, before it does: it implements release.Checker on the ports of the
// release pipeline, on a view of the AWS account of its own (Cloud), and on what would be built.
//
// It looks at everything at once and then judges what it has seen, in functions that call nobody. It only reads, and gives
// each finding a stable code, a reason and a cure (docs/checks.md lists them). It must not know AWS's SDK, which is
// package facts' part, nor how findings are shown. What a directory says of a Medusa app is package medusa's part.
package check
