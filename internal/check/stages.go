package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// stageNamed gives the stage before another one that a name stands for; -1: it stands for an image.
func stageNamed(all []release.Instruction, name string, before int) int {
	found := -1
	for _, i := range all {
		if i.Name == "FROM" && i.Stage < before && i.Word(1) != "" && strings.EqualFold(i.Word(1), name) {
			found = i.Stage
		}
	}
	return found
}

// finalStage is the stage that is built; -1: there is none.
func finalStage(all []release.Instruction, wanted string) int {
	last := -1
	for _, i := range all {
		last = max(last, i.Stage)
	}
	if named := stageNamed(all, wanted, last+1); wanted != "" && named >= 0 {
		return named
	}
	return last
}

// reachable leaves out the stages that the build never comes to. The stage that is built comes last.
func reachable(all []release.Instruction, wanted string) []release.Instruction {
	needed := map[int]bool{-1: true}
	var need func(stage int)
	need = func(stage int) {
		if stage < 0 || needed[stage] {
			return
		}
		needed[stage] = true
		for _, i := range all {
			if i.Stage == stage && i.Name == "FROM" {
				need(stageNamed(all, i.Word(0), stage))
			}
			if i.Stage == stage && i.From != "" {
				need(stageOfSource(all, i.From, stage))
			}
		}
	}
	need(finalStage(all, wanted))
	return slices.DeleteFunc(slices.Clone(all), func(i release.Instruction) bool { return !needed[i.Stage] })
}

// stageOfSource is the stage that --from names, by name or by number.
func stageOfSource(all []release.Instruction, from string, before int) int {
	if number, err := strconv.Atoi(from); err == nil && 0 <= number && number < before {
		return number
	}
	return stageNamed(all, from, before)
}

// lineage gives the instructions that make a stage, with those of the stages that it is built on before its own.
func lineage(all []release.Instruction, stage int) []release.Instruction {
	var own, above []release.Instruction
	for _, i := range all {
		if i.Stage != stage || stage < 0 {
			continue
		}
		own = append(own, i)
		if i.Name == "FROM" {
			if base := stageNamed(all, i.Word(0), stage); base >= 0 {
				above = lineage(all, base)
			}
		}
	}
	return append(above, own...)
}

// last gives the last instruction of a name.
func last(all []release.Instruction, name string) (release.Instruction, bool) {
	for _, i := range slices.Backward(all) {
		if i.Name == name {
			return i, true
		}
	}
	return release.Instruction{}, false
}
