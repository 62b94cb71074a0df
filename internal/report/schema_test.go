package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func schemaOf(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "..", "docs", name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// keysOf gathers the names of all members in a document.
func keysOf(value any, into map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			into[key] = true
			keysOf(v, into)
		}
	case []any:
		for _, v := range value {
			keysOf(v, into)
		}
	}
}

// propertiesOf gathers the names of all members that a schema knows.
func propertiesOf(schema any, into map[string]bool) {
	switch schema := schema.(type) {
	case map[string]any:
		for key, v := range schema {
			if properties, ok := v.(map[string]any); ok && key == "properties" {
				for name := range properties {
					into[name] = true
				}
			}
			propertiesOf(v, into)
		}
	case []any:
		for _, v := range schema {
			propertiesOf(v, into)
		}
	}
}

func rawSchema(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	schema := map[string]any{}
	if err := json.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestFoundSchemas holds docs/{status,history,trace}.schema.json against what is printed, with every member in use.
func TestFoundSchemas(t *testing.T) {
	before := release.Status{Target: "t", Cluster: "c", Repository: "r", Tag: "latest", Services: []release.ServiceStatus{}}
	whole, checkedOut := sampleTrace(), sampleStatus()
	whole.Deployments, whole.Source.Branch, whole.Source.Remote = sampleHistory().Deployments, "main", "https://example.com/shop.git"
	checkedOut.Next.To.Remote = "https://example.com/shop.git"
	for name, documents := range map[string][]any{
		"status":  {checkedOut, settled(2), before},
		"history": {sampleHistory(), release.History{Deployments: []release.HistoryEntry{}}},
		"trace":   {sampleTrace(), whole, goneTrace()},
	} {
		schema, used, known := schemaOf(t, name), map[string]bool{}, map[string]bool{}
		for _, document := range documents {
			raw, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s: %v\n%s", name, err, raw)
			}
			keysOf(value, used)
		}
		propertiesOf(rawSchema(t, name), known)
		for key := range known {
			if !used[key] {
				t.Errorf("%s: no document of this test has the member %q: it may be misspelt in the schema", name, key)
			}
		}
		for _, bad := range []string{`{}`, `[]`, `{"target":"t","cluster":"c","repository":"r","tag":"latest","services":[],"deployments":[],"more":0,"unheard_of":1}`} {
			value, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
			if err != nil {
				t.Fatal(err)
			}
			if schema.Validate(value) == nil {
				t.Errorf("%s: the schema takes %s", name, bad)
			}
		}
	}
}

// TestSchemasAgree: what two schemas both define means the same in both.
func TestSchemasAgree(t *testing.T) {
	seen := map[string]any{}
	for _, name := range []string{"status", "history", "trace"} {
		for key, def := range rawSchema(t, name)["$defs"].(map[string]any) {
			if other, ok := seen[key]; ok && !cmp.Equal(other, def) {
				t.Errorf("%s.schema.json defines %s otherwise: %s", name, key, cmp.Diff(other, def))
			}
			seen[key] = def
		}
	}
}

func TestSchemaKnowsEveryKindOfDrift(t *testing.T) {
	drift := rawSchema(t, "status")["$defs"].(map[string]any)["drift"].(map[string]any)["properties"].(map[string]any)
	got := drift["kind"].(map[string]any)["enum"].([]any)
	want := []any{}
	for _, kind := range []release.DriftKind{
		release.DriftTag, release.DriftMixed, release.DriftServices, release.DriftTask, release.DriftGone, release.DriftCount,
		release.DriftDefinition, release.DriftFiles, release.DriftUnpinned, release.DriftRepository, release.DriftRolloutStopped,
	} {
		want = append(want, string(kind))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
