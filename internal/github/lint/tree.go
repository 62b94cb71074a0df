package lint

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// field is an entry of a mapping. Its zero value stands for an entry that is not there.
type field struct {
	key *yaml.Node
	val *yaml.Node // with its alias resolved
}

func (f field) there() bool { return f.val != nil }

// text is the value of a scalar entry; nothing for others.
func (f field) text() string {
	if f.val == nil || f.val.Kind != yaml.ScalarNode {
		return ""
	}
	return f.val.Value
}

// is tells whether the entry is written as this text.
func (f field) is(text string) bool {
	return f.val != nil && f.val.Kind == yaml.ScalarNode && f.val.Value == text
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// lookup finds an entry of a mapping by its name.
func lookup(n *yaml.Node, name string) field {
	for _, f := range entries(n) {
		if f.key.Value == name {
			return f
		}
	}
	return field{}
}

// lookupFold is lookup for names whose case does not matter: inputs, secrets.
func lookupFold(n *yaml.Node, name string) field {
	for _, f := range entries(n) {
		if strings.EqualFold(f.key.Value, name) {
			return f
		}
	}
	return field{}
}

// entries are the entries of a mapping, in their order; none for other nodes.
func entries(n *yaml.Node) []field {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	fields := make([]field, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		fields = append(fields, field{key: n.Content[i], val: resolve(n.Content[i+1])})
	}
	return fields
}

// items are the items of a sequence; none for other nodes.
func items(n *yaml.Node) []*yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	list := make([]*yaml.Node, 0, len(n.Content))
	for _, item := range n.Content {
		list = append(list, resolve(item))
	}
	return list
}

// texts are the scalars of a sequence, or the one scalar that stands in its place.
func texts(n *yaml.Node) []string {
	n = resolve(n)
	if n != nil && n.Kind == yaml.ScalarNode && n.Tag != nullTag {
		return []string{n.Value}
	}
	var list []string
	for _, item := range items(n) {
		if item.Kind == yaml.ScalarNode {
			list = append(list, item.Value)
		}
	}
	return list
}

const nullTag = "!!null"

// flow tells whether a mapping or a sequence is written in braces or brackets.
func flow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

// visit calls do for each scalar below n that is not a key, aliases not followed: each place of the file once.
// parent is the indentation of the block that the scalar is in.
func visit(n *yaml.Node, parent int, do func(value *yaml.Node, parent int)) {
	if n == nil {
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		do(n, parent)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			visit(n.Content[i+1], blockIndent(n, n.Content[i], parent), do)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			visit(item, blockIndent(n, n, parent), do)
		}
	case yaml.DocumentNode:
		for _, item := range n.Content {
			visit(item, parent, do)
		}
	}
}

// blockIndent is the indentation that a collection's own entries begin at.
func blockIndent(n, first *yaml.Node, parent int) int {
	if flow(n) {
		return parent
	}
	return first.Column - 1
}
