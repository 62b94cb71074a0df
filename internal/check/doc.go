// Package check finds what would break a deploy, before it does: it implements release.Checker on the ports of the
// release pipeline.
//
// It only reads, reports everything at once, and gives each finding a stable code, a reason and a cure
// (docs/checks.md lists them). It must not know AWS's SDK or how findings are shown.
package check
