package config

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaPath = "../../docs/medusa-deploy.schema.json"

// schemaObject is as much of JSON Schema as the comparison needs.
type schemaObject struct {
	Description string
	Pattern     string
	MinLength   int
	MaxLength   int
	Enum        []string
	Default     any
	Required    []string
	Properties  map[string]schemaObject
	Items       *schemaObject
	Names       *schemaObject           `json:"propertyNames"`
	Defs        map[string]schemaObject `json:"$defs"`
	Ref         string                  `json:"$ref"`
}

func readSchema(t *testing.T) schemaObject {
	t.Helper()
	raw, err := os.ReadFile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	var s schemaObject
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaHasTheParsersKeys: every mapping has the same keys, and the same of them required, on both sides.
func TestSchemaHasTheParsersKeys(t *testing.T) {
	root := readSchema(t)
	local := slices.DeleteFunc(targetKeys(&targetEntry{Target: Target{Local: true}}), func(k key) bool {
		return k.name == "registry" || k.name == "role" // known, to be refused with a reason
	})
	for name, pair := range map[string]struct {
		schema schemaObject
		keys   []key
	}{
		"root":       {root, configKeys(&Config{})},
		"image":      {root.Defs["image"], imageKeys(&Image{})},
		"prepare":    {root.Defs["prepare"], prepareKeys(&Prepare{})},
		"target":     {root.Defs["target"], targetKeys(&targetEntry{})},
		"local":      {root.Defs["local"], local},
		"migrate":    {root.Defs["migrate"], migrateKeys(&Migrate{})},
		"definition": {root.Defs["definition"], definitionKeys(&Definition{})},
		"sign":       {root.Defs["sign"], signKeys(&Sign{})},
		"cache":      {root.Defs["cache_directory"], cacheKeys(&Image{})},
		"secret":     {root.Defs["secret"], secretKeys(&Secret{})},
		"require":    {root.Defs["require_signature"], requirementKeys(&RequireSignature{})},
	} {
		var known, required []string
		for _, k := range pair.keys {
			known = append(known, k.name)
			if k.required {
				required = append(required, k.name)
			}
		}
		slices.Sort(known)
		if diff := cmp.Diff(known, slices.Sorted(maps.Keys(pair.schema.Properties))); diff != "" {
			t.Errorf("%s: keys (-parser +schema):\n%s", name, diff)
		}
		if diff := cmp.Diff(required, pair.schema.Required); diff != "" {
			t.Errorf("%s: required keys (-parser +schema):\n%s", name, diff)
		}
	}
}

// TestSchemaHasTheParsersRules: patterns, lengths and defaults are the same on both sides.
func TestSchemaHasTheParsersRules(t *testing.T) {
	root := readSchema(t)
	image, defs := root.Defs["image"].Properties, root.Defs
	for name, pair := range map[string]struct {
		schema schemaObject
		rule   rule
	}{
		"app":        {root.Properties["app"], appRule},
		"repository": {image["repository"], repositoryRule},
		"stage":      {image["stage"], stageRule},
		"region":     {defs["region"], regionRule},
		"cluster":    {defs["cluster"], clusterRule},
		"service":    {*defs["services"].Items, serviceRule},
		"key":        {defs["key"], keyRule},
		"identity":   {defs["require_signature"].Properties["identity"], identityRule},
		"issuer":     {defs["require_signature"].Properties["issuer"], issuerRule},
		"secret id":  {*defs["secrets"].Names, idRule},
		"ssh id":     {*defs["ids"].Items, idRule},
		"ssh key":    {*defs["ssh_keys"].Names, idRule},
		"context":    {*defs["contexts"].Names, contextNameRule},
		"source":     {defs["context"], contextRule},
		"variable":   {defs["secret"].Properties["env"], variableRule},
	} {
		got := rule{pattern: pair.schema.Pattern, min: pair.schema.MinLength, max: pair.schema.MaxLength}
		want := rule{pattern: pair.rule.pattern, min: pair.rule.min, max: pair.rule.max}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(rule{})); diff != "" {
			t.Errorf("%s (-parser +schema):\n%s", name, diff)
		}
	}
	local := defs["local"].Properties
	for name, pair := range map[string]struct{ schema, parser any }{
		"cache":           {image["cache"].Default, CacheRegistry},
		"compression":     {image["compression"].Default, CompressionGzip},
		"reproducible":    {image["reproducible"].Default, false},
		"provenance":      {image["provenance"].Default, true},
		"sbom":            {image["sbom"].Default, false},
		"platforms":       {image["platforms"].Default, []any{DefaultPlatform}},
		"strategy":        {defs["strategy"].Default, StrategyLatest},
		"region":          {local["region"].Default, DefaultRegion},
		"cluster":         {local["cluster"].Default, DefaultCluster},
		"services":        {local["services"].Default, []any{DefaultService}},
		"timeout":         {duration15m(local["timeout"].Default), DefaultTimeout.String()},
		"migrate timeout": {duration15m(defs["migrate"].Properties["timeout"].Default), DefaultMigrateTimeout.String()},
	} {
		if !cmp.Equal(pair.schema, pair.parser) {
			t.Errorf("default of %s: schema %v, parser %v", name, pair.schema, pair.parser)
		}
	}
}

// duration15m writes "15m" as time.Duration does.
func duration15m(v any) any {
	s, _ := v.(string)
	return s + "0s"
}

// onlyTheParserSees are bad files whose fault is outside of what a JSON Schema can say.
func onlyTheParserSees(name string) bool {
	return slices.Contains([]string{
		"duplicate-keys.yaml", "yaml-features.yaml", "explicit-key.yaml", "two-documents.yaml", "registry-repository.yaml",
	}, name)
}

// TestSchemaJudgesTheSamples: what the parser accepts and refuses, an editor with the schema does too.
func TestSchemaJudgesTheSamples(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(samples(t, "testdata/good/*.yaml"), samples(t, "testdata/bad/*.yaml")...) {
		if onlyTheParserSees(filepath.Base(path)) {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := filepath.Base(filepath.Dir(path)) == "bad"
		value, err := asJSON(source)
		if err != nil {
			if !bad {
				t.Errorf("%s: %v", path, err)
			}
			continue // not YAML: no schema gets to see it
		}
		if err := schema.Validate(value); (err != nil) != bad {
			t.Errorf("%s: the schema says %v", path, err)
		}
	}
}

// asJSON reads YAML the way an editor with a schema does.
func asJSON(source []byte) (any, error) {
	source = []byte(strings.TrimPrefix(string(source), "\ufeff"))
	raw, err := yaml.YAMLToJSON(source)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
}
