package localci

import (
	"maps"
	"os"
	"slices"
	"testing"

	"go.yaml.in/yaml/v4"
)

// TestTheActionsStandIn: the stand-in of this program's own action has its inputs and outputs, with the same defaults.
func TestTheActionsStandIn(t *testing.T) {
	real, standin := readAction(t, "../../action.yml"), readAction(t, "standins/action/action.yml")
	for name, input := range real.Inputs {
		if other, ok := standin.Inputs[name]; !ok || other.Default != input.Default {
			t.Errorf("input %s: the default is %q, want %q", name, other.Default, input.Default)
		}
	}
	if got, want := slices.Sorted(maps.Keys(standin.Outputs)), slices.Sorted(maps.Keys(real.Outputs)); !slices.Equal(got, want) {
		t.Errorf("the outputs are %v, want %v", got, want)
	}
	if len(real.Inputs) != len(standin.Inputs) || len(real.Inputs) == 0 {
		t.Errorf("the stand-in has %d inputs, the action %d", len(standin.Inputs), len(real.Inputs))
	}
}

type action struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]struct{ Value string }
}

func readAction(t *testing.T, path string) (a action) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	return a
}
