package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// text reads a string that satisfies r.
func text(into *string, r rule) reader {
	return func(d *decoder, at position, value ast.Node) {
		s, ok := d.str(at, value)
		if ok && d.literal(value, s) && d.check(value, s, r) {
			*into = s
		}
	}
}

// oneOf reads one of a few words.
func oneOf(into *string, words ...string) reader {
	return func(d *decoder, at position, value ast.Node) {
		s, ok := d.str(at, value)
		switch {
		case !ok:
		case !slices.Contains(words, s):
			d.fail(start(value), didYouMean(s, words), "%s is not possible here", strconv.Quote(s))
		default:
			*into = s
		}
	}
}

// textList reads a list of different strings, at least one, each satisfying r.
func textList(into *[]string, r rule) reader {
	return func(d *decoder, at position, value ast.Node) {
		var all []string
		ok := d.items(at, value, func(at position, item ast.Node) {
			s, ok := d.str(at, item)
			if !ok || !d.literal(item, s) || !d.check(item, s, r) {
				return
			}
			if slices.Contains(all, s) {
				d.fail(start(item), "remove one of the two", "%s is in this list twice", strconv.Quote(s))
				return
			}
			all = append(all, s)
		})
		if ok {
			*into = all
		}
	}
}

// command reads a program and its arguments. A single string is refused: splitting it would need a shell's rules.
func command(into *[]string) reader {
	return func(d *decoder, at position, value ast.Node) {
		if s, isText := value.(*ast.StringNode); isText {
			words := strings.Fields(s.Value)
			d.fail(start(value), "no shell is involved: write each argument as an item, ["+strings.Join(words, ", ")+"]", "a command is a list")
			return
		}
		var argv []string
		ok := d.items(at, value, func(at position, item ast.Node) {
			s, ok := d.scalar(at, item)
			switch {
			case !ok:
			case len(argv) == 0 && strings.TrimSpace(s) == "":
				d.fail(start(item), "expected the name of a program", "the first item of a command is empty")
			case strings.ContainsRune(s, 0):
				d.fail(start(item), "remove the \\0", "an argument cannot contain a NUL character")
			default:
				argv = append(argv, s)
			}
		})
		if ok {
			*into = argv
		}
	}
}

// variables reads a mapping of names to values. Numbers are taken as they are written; booleans are refused, because
// yes, no, on and off are booleans to some readers of YAML and texts to others.
func variables(into *map[string]string, where string, reserved ...string) reader {
	return func(d *decoder, at position, value ast.Node) {
		all := map[string]string{}
		seen := map[string]position{}
		d.each(at, value, func(name string, at position, value ast.Node) {
			if d.repeated(seen, name, at) {
				return
			}
			if !variableRule.matches(name) {
				d.fail(at, variableRule.expect, "%s is no name for a variable%s", strconv.Quote(name), where)
				return
			}
			if slices.Contains(reserved, name) {
				d.fail(at, "remove it: every build gets it from the commit", "%s cannot be set here", name)
				return
			}
			if s, ok := d.scalar(at, value); ok && d.literal(value, s) {
				all[name] = s
			}
		})
		*into = all
	}
}

// Bounds of every duration in the file.
const minDuration, maxDuration = time.Second, 24 * time.Hour

// duration reads a Go duration within the bounds.
func duration(into *time.Duration) reader {
	const expect = "expected a duration with its unit, such as 90s, 15m or 1h30m, from 1s to 24h"
	return func(d *decoder, at position, value ast.Node) {
		s, ok := d.scalar(at, value)
		if !ok {
			return
		}
		v, err := time.ParseDuration(s)
		switch {
		case err != nil:
			d.fail(start(value), expect, "%s is not a duration", strconv.Quote(s))
		case v < minDuration || v > maxDuration:
			d.fail(start(value), expect, "%s is not possible", s)
		default:
			*into = v
		}
	}
}

// boolean reads true or false. Other words for them are texts to some readers of YAML.
func boolean(into *bool) reader {
	return func(d *decoder, at position, value ast.Node) {
		if !d.plain(value) {
			return
		}
		n, ok := value.(*ast.BoolNode)
		if !ok {
			d.wrongType(at, value, "true or false")
			return
		}
		*into = n.Value
	}
}

// count reads a whole number within bounds.
func count(into *int, least, most int) reader {
	return func(d *decoder, at position, value ast.Node) {
		expect := fmt.Sprintf("expected a whole number from %d to %d", least, most)
		if !d.plain(value) {
			return
		}
		n, ok := value.(*ast.IntegerNode)
		if !ok {
			d.wrongType(at, value, fmt.Sprintf("a whole number from %d to %d", least, most))
			return
		}
		v, err := strconv.Atoi(n.GetToken().Value)
		if err != nil || v < least || v > most {
			d.fail(start(value), expect, "%s is not possible here", n.GetToken().Value)
			return
		}
		*into = v
	}
}

// str gives the text of a string node.
func (d *decoder) str(at position, n ast.Node) (string, bool) {
	if !d.plain(n) {
		return "", false
	}
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		d.wrongType(at, n, `a text; put it in quotes: "`+n.GetToken().Value+`"`)
	default:
		d.wrongType(at, n, "a text")
	}
	return "", false
}

// scalar gives the text of a string or a number, as it is written.
func (d *decoder) scalar(at position, n ast.Node) (string, bool) {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return d.str(at, n)
}

// items calls visit for every item of a list that is not empty; false when it is no such list, which was noted.
func (d *decoder) items(at position, value ast.Node, visit func(at position, item ast.Node)) bool {
	if !d.plain(value) {
		return false
	}
	list, ok := value.(*ast.SequenceNode)
	if !ok {
		d.wrongType(at, value, "a list, such as [one, two]")
		return false
	}
	if len(list.Values) == 0 {
		d.fail(start(value), "expected at least one item", "the list is empty")
		return false
	}
	for _, item := range list.Values {
		visit(start(item), item)
	}
	return true
}

// literal refuses what looks like an environment variable where none is expanded.
func (d *decoder) literal(n ast.Node, s string) bool {
	if !strings.Contains(s, "${") {
		return true
	}
	d.fail(start(n), `only "registry" takes environment variables; write the value itself`, "%s is not expanded here", strconv.Quote(s))
	return false
}

// check complains when s does not satisfy r.
func (d *decoder) check(n ast.Node, s string, r rule) bool {
	if r.matches(s) {
		return true
	}
	d.fail(start(n), r.hint(s), "%s is not possible here", strconv.Quote(abbreviate(s)))
	return false
}

// abbreviate keeps messages to a line.
func abbreviate(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:77]) + "…"
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
