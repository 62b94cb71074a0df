package localci

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rhysd/actionlint"
)

// errUnknown says that an expression needs what is only known while the workflow runs.
var errUnknown = errors.New("not known before the workflow runs")

// facts are the contexts that a workflow's own keys (run-name, concurrency) may use before anything runs: github, inputs and
// vars. Values are texts, numbers, booleans, nil, or maps of these. Keys are lower-case.
type facts map[string]any

// expand fills in the ${{ }} of a text. Only what those keys use is understood; the rest is errUnknown.
// https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
func (f facts) expand(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		lexer := actionlint.NewExprLexer(rest)
		node, problem := actionlint.NewExprParser().Parse(lexer)
		if problem != nil {
			return "", fmt.Errorf("${{%s: %s", rest, problem.Message)
		}
		value, err := f.value(node)
		if err != nil {
			return "", err
		}
		b.WriteString(textOf(value))
		text = rest[lexer.Offset():]
	}
}

func (f facts) value(node actionlint.ExprNode) (any, error) {
	switch n := node.(type) {
	case *actionlint.NullNode:
		return nil, nil
	case *actionlint.BoolNode:
		return n.Value, nil
	case *actionlint.IntNode:
		return float64(n.Value), nil
	case *actionlint.FloatNode:
		return n.Value, nil
	case *actionlint.StringNode:
		return n.Value, nil
	case *actionlint.VariableNode:
		if value, ok := f[strings.ToLower(n.Name)]; ok {
			return value, nil
		}
		return nil, fmt.Errorf("%s: %w", n.Name, errUnknown)
	case *actionlint.ObjectDerefNode:
		return f.member(n.Receiver, n.Property)
	case *actionlint.IndexAccessNode:
		index, err := f.value(n.Index)
		if err != nil {
			return nil, err
		}
		return f.member(n.Operand, textOf(index))
	case *actionlint.NotOpNode:
		value, err := f.value(n.Operand)
		return !truthy(value), err
	case *actionlint.LogicalOpNode:
		return f.logical(n)
	case *actionlint.CompareOpNode:
		return f.compare(n)
	case *actionlint.FuncCallNode:
		return f.call(n)
	}
	return nil, fmt.Errorf("this expression: %w", errUnknown)
}

// member of an object; what an object has not is null, as on GitHub.
func (f facts) member(of actionlint.ExprNode, name string) (any, error) {
	value, err := f.value(of)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, nil
	}
	return object[strings.ToLower(name)], nil
}

func (f facts) logical(n *actionlint.LogicalOpNode) (any, error) {
	left, err := f.value(n.Left)
	if err != nil {
		return nil, err
	}
	if truthy(left) == (n.Kind == actionlint.LogicalOpNodeKindOr) {
		return left, nil
	}
	return f.value(n.Right)
}

func (f facts) compare(n *actionlint.CompareOpNode) (any, error) {
	left, err := f.value(n.Left)
	if err != nil {
		return nil, err
	}
	right, err := f.value(n.Right)
	if err != nil {
		return nil, err
	}
	if !n.Kind.IsEqualityOp() {
		return nil, fmt.Errorf("a comparison by size: %w", errUnknown)
	}
	equal := strings.EqualFold(textOf(left), textOf(right))
	return equal == (n.Kind == actionlint.CompareOpNodeKindEq), nil
}

func (f facts) call(n *actionlint.FuncCallNode) (any, error) {
	args := make([]string, len(n.Args))
	for i, arg := range n.Args {
		value, err := f.value(arg)
		if err != nil {
			return nil, err
		}
		args[i] = textOf(value)
	}
	lower := func(i int) string { return strings.ToLower(args[i]) }
	switch name := strings.ToLower(n.Callee); {
	case name == "format" && len(args) > 0:
		return format(args[0], args[1:]), nil
	case name == "contains" && len(args) == 2:
		return strings.Contains(lower(0), lower(1)), nil
	case name == "startswith" && len(args) == 2:
		return strings.HasPrefix(lower(0), lower(1)), nil
	case name == "endswith" && len(args) == 2:
		return strings.HasSuffix(lower(0), lower(1)), nil
	}
	return nil, fmt.Errorf("%s(): %w", n.Callee, errUnknown)
}

// format fills {0}, {1}, … in; {{ and }} are braces.
func format(text string, args []string) string {
	pairs := []string{"{{", "{", "}}", "}"}
	for i, arg := range args {
		pairs = append(pairs, fmt.Sprintf("{%d}", i), arg)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func truthy(value any) bool {
	switch v := value.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0
	}
	return value != nil
}

func textOf(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'g', 15, 64)
	}
	return "Object"
}
