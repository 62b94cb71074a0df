// Package lint finds what is wrong with a GitHub Actions workflow before GitHub does: faults of syntax, scripts that do
// not parse, ways to lose a secret, and the mistakes that make a deploy fail, or look green when it did not happen.
//
// It runs actionlint as a library, parses the scripts of `run:` in place, and adds rules of its own. Each problem has a
// stable code (docs/workflow-checks.md lists them), the place in the file, a reason, a cure, and an edit where one is
// safe. It reads files and, when asked to, runs shellcheck; it must not know GitHub's API, AWS, or how problems are shown.
package lint
