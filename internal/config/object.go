package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// reader reads the value of a key. at is where the key stands: the place to complain about a value that is not there.
type reader func(d *decoder, at position, value ast.Node)

// key is one key of a mapping.
type key struct {
	name     string
	required bool
	read     reader
}

// object reads a mapping that has these keys and no others. where completes `unknown key "x"`: ` in target "local"`.
func (d *decoder) object(where string, keys []key) reader {
	return func(d *decoder, at position, value ast.Node) {
		seen, mistyped := map[string]position{}, map[string]bool{}
		ok := d.each(at, value, func(name string, at position, value ast.Node) {
			if d.repeated(seen, name, at) {
				return
			}
			i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
			if i < 0 {
				d.fail(at, didYouMean(name, names(keys)), "unknown key %s%s", strconv.Quote(name), where)
				if meant := nearest(name, names(keys)); meant != "" {
					mistyped[meant] = true // to call it missing as well would be noise
				}
				return
			}
			keys[i].read(d, at, value)
		})
		if ok {
			d.missing(at, where, keys, func(name string) bool { return seen[name] != (position{}) || mistyped[name] })
		}
	}
}

// missing complains about required keys that are not there.
func (d *decoder) missing(at position, where string, keys []key, there func(name string) bool) {
	var absent []string
	for _, k := range keys {
		if k.required && !there(k.name) {
			absent = append(absent, k.name)
		}
	}
	if len(absent) > 0 {
		d.fail(at, "add "+strings.Join(absent, ", "), "missing %s%s", quoteAll(absent), where)
	}
}

// repeated notes a key's place and complains when it has one already.
func (d *decoder) repeated(seen map[string]position, name string, at position) bool {
	first, twice := seen[name]
	if twice {
		d.fail(at, "remove one of the two", "key %s is here a second time, the first is in line %d", strconv.Quote(name), first.line)
		return true
	}
	seen[name] = at
	return false
}

// each calls visit for every entry of a mapping; false when the value is no mapping or a key is beyond understanding,
// which was noted: then there is no telling what is missing.
func (d *decoder) each(at position, value ast.Node, visit func(name string, at position, value ast.Node)) bool {
	if !d.plain(value) {
		return false
	}
	var entries []*ast.MappingValueNode
	switch n := value.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		d.wrongType(at, value, "a mapping (key: value)")
		return false
	}
	understood := true
	for _, entry := range entries {
		if name, ok := d.keyName(entry.Key); ok {
			visit(name, start(entry.Key), entry.Value)
		} else {
			understood = false
		}
	}
	return understood
}

// keyName is a key's text. Keys that look like numbers or booleans are text here: a target may be called "on".
func (d *decoder) keyName(n ast.MapKeyNode) (string, bool) {
	if n.IsMergeKey() {
		d.fail(start(n), "write the keys out: what a file says should be readable where it stands", "merge keys (<<) are not supported")
		return "", false
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return n.GetToken().Value, true
	}
	d.fail(start(n), "write key: value", "this kind of key is not supported")
	return "", false
}

// plain complains about YAML's indirections, which this file does without.
func (d *decoder) plain(n ast.Node) bool {
	switch n.(type) {
	case *ast.AnchorNode:
		d.fail(start(n), "write the value out in each place", "anchors (&name) are not supported")
	case *ast.AliasNode:
		d.fail(start(n), "write the value out in each place", "aliases (*name) are not supported; a text that starts with * needs quotes")
	case *ast.TagNode:
		d.fail(start(n), "remove the tag; a text that starts with ! needs quotes", "tags (!name) are not supported")
	default:
		return true
	}
	return false
}

// wrongType complains about a value of another kind than expected.
func (d *decoder) wrongType(at position, n ast.Node, expected string) {
	if _, null := n.(*ast.NullNode); null {
		d.fail(at, "expected "+expected, "there is no value here")
		return
	}
	d.fail(start(n), "expected "+expected, "%s is not allowed here", kind(n))
}

// kind names a node's kind for people.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + n.GetToken().Value
	case *ast.BoolNode:
		return "the boolean " + n.GetToken().Value
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	}
	return "this"
}

func names(keys []key) []string {
	all := make([]string, len(keys))
	for i, k := range keys {
		all[i] = k.name
	}
	return all
}
