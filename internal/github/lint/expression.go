package lint

import (
	"strings"

	"github.com/rhysd/actionlint"
)

// expression is one ${{ … }} of a text.
type expression struct {
	start, end int                 // in the text, braces and all
	text       string              // between the braces, trimmed
	node       actionlint.ExprNode // nil: it does not parse
}

const (
	opening = "${{"
	closing = "}}"
)

// expressions finds the expressions of a text. complete is false when the last one has no end.
func expressions(text string) (found []expression, complete bool) {
	for from := 0; ; {
		i := strings.Index(text[from:], opening)
		if i < 0 {
			return found, true
		}
		start := from + i
		end := expressionEnd(text, start+len(opening))
		if end < 0 {
			return found, false
		}
		inner := text[start+len(opening) : end-len(closing)]
		found = append(found, expression{start: start, end: end, text: strings.TrimSpace(inner), node: parseExpression(inner)})
		from = end
	}
}

// expressionEnd is the end of the expression that is open at from: }} within a string does not count.
func expressionEnd(text string, from int) int {
	inString := false
	for i := from; i < len(text); i++ {
		switch {
		case text[i] == '\'':
			inString = !inString
		case !inString && strings.HasPrefix(text[i:], closing):
			return i + len(closing)
		}
	}
	return -1
}

func parseExpression(inner string) actionlint.ExprNode {
	node, err := actionlint.NewExprParser().Parse(actionlint.NewExprLexer(inner + closing))
	if err != nil {
		return nil
	}
	return node
}

// property is the property that a node reads, in lower case: "github.event.pull_request.title"; an index that is not
// written out is "*". Empty: the node is no property.
func property(n actionlint.ExprNode) string {
	switch n := n.(type) {
	case *actionlint.VariableNode:
		return strings.ToLower(n.Name)
	case *actionlint.ObjectDerefNode:
		return join(property(n.Receiver), n.Property)
	case *actionlint.ArrayDerefNode:
		return join(property(n.Receiver), "*")
	case *actionlint.IndexAccessNode:
		if name, ok := n.Index.(*actionlint.StringNode); ok {
			return join(property(n.Operand), name.Value)
		}
		return join(property(n.Operand), "*")
	}
	return ""
}

func join(receiver, property string) string {
	if receiver == "" {
		return ""
	}
	return receiver + "." + strings.ToLower(property)
}

// reads are the properties that an expression looks at.
func reads(n actionlint.ExprNode) []string {
	var paths []string
	if n == nil {
		return nil
	}
	actionlint.VisitExprNode(n, func(node, parent actionlint.ExprNode, entering bool) {
		if !entering || isReceiver(node, parent) {
			return
		}
		if p := property(node); p != "" {
			paths = append(paths, p)
		}
	})
	return paths
}

// isReceiver tells whether node is the beginning of a longer property.
func isReceiver(node, parent actionlint.ExprNode) bool {
	switch p := parent.(type) {
	case *actionlint.ObjectDerefNode, *actionlint.ArrayDerefNode:
		return true
	case *actionlint.IndexAccessNode:
		return p.Operand == node
	}
	return false
}

// safeFunctions give a value that says nothing of the text of their arguments.
var safeFunctions = map[string]bool{
	"contains": true, "startswith": true, "endswith": true, "hashfiles": true,
	"success": true, "failure": true, "always": true, "cancelled": true,
}

// flows are the properties whose text may end up in the value of an expression: those of a comparison do not.
func flows(n actionlint.ExprNode) []string {
	switch n := n.(type) {
	case *actionlint.LogicalOpNode:
		if n.Kind == actionlint.LogicalOpNodeKindAnd {
			return flows(n.Right) // the left side shows only when it is false, and so empty
		}
		return append(flows(n.Left), flows(n.Right)...)
	case *actionlint.FuncCallNode:
		return flowsOfCall(n)
	case *actionlint.VariableNode, *actionlint.ObjectDerefNode, *actionlint.ArrayDerefNode, *actionlint.IndexAccessNode:
		if p := property(n); p != "" {
			return []string{p}
		}
		return flows(receiver(n)) // fromJSON(…).name
	}
	return nil
}

func flowsOfCall(n *actionlint.FuncCallNode) []string {
	if safeFunctions[strings.ToLower(n.Callee)] {
		return nil
	}
	var all []string
	for _, argument := range n.Args {
		all = append(all, flows(argument)...)
	}
	return all
}

func receiver(n actionlint.ExprNode) actionlint.ExprNode {
	switch n := n.(type) {
	case *actionlint.ObjectDerefNode:
		return n.Receiver
	case *actionlint.ArrayDerefNode:
		return n.Receiver
	case *actionlint.IndexAccessNode:
		return n.Operand
	}
	return nil
}
