package release

import (
	"maps"
	"slices"
	"strings"
)

// buildByHand is how a person would build the same with Docker. A dirty tree's image is named by its digest, which is
// known only afterwards. A secret is named by where it is.
func buildByHand(b BuildRequest, c Commit) []string {
	words := []string{"docker buildx build --provenance=false"}
	if len(b.Platforms) > 0 {
		words = append(words, "--platform "+strings.Join(b.Platforms, ","))
	}
	if b.Stage != "" {
		words = append(words, "--target "+b.Stage)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Args)) {
		words = append(words, "--build-arg "+name+"="+b.Args[name])
	}
	for _, name := range slices.Sorted(maps.Keys(b.Labels)) {
		words = append(words, "--label "+name+"="+b.Labels[name])
	}
	words = append(words, inputsByHand(b)...)
	if !c.Dirty {
		words = append(words, "--tag "+b.Repository+":"+ImageTag(c, ""))
	}
	return []string{strings.Join(append(words, "--file "+b.Dockerfile, b.ContextDir), " ")}
}

// inputsByHand names what a build takes in beside its context, and how its layers are made.
func inputsByHand(b BuildRequest) []string {
	var words []string
	for _, s := range b.Secrets {
		if s.Env != "" {
			words = append(words, "--secret id="+s.ID+",env="+s.Env)
		} else {
			words = append(words, "--secret id="+s.ID+",src="+s.File)
		}
	}
	for _, a := range b.SSH {
		words = append(words, "--ssh "+strings.Join(append([]string{a.ID}, a.Paths...), "="))
	}
	for _, name := range slices.Sorted(maps.Keys(b.Contexts)) {
		words = append(words, "--build-context "+name+"="+b.Contexts[name])
	}
	if b.NoCache {
		words = append(words, "--no-cache")
	}
	switch b.Cache.Kind {
	case CacheRegistry:
		ref := b.Cache.Ref
		if !strings.ContainsAny(ref, "/:") {
			ref = b.Repository + ":" + ref
		}
		words = append(words, "--cache-from type=registry,ref="+ref, "--cache-to type=registry,ref="+ref+",mode=max,image-manifest=true,oci-mediatypes=true")
	case CacheGHA:
		words = append(words, "--cache-from type=gha,scope="+b.Cache.Ref, "--cache-to type=gha,mode=max,scope="+b.Cache.Ref)
	case CacheDirectory:
		words = append(words, "--cache-from type=local,src="+b.Cache.Ref, "--cache-to type=local,mode=max,dest="+b.Cache.Ref)
	}
	var output []string
	if b.Compression == CompressionZstd {
		output = append(output, "compression=zstd,oci-mediatypes=true")
	}
	if b.Reproducible {
		output = append(output, "rewrite-timestamp=true")
	}
	if len(output) > 0 {
		words = append(words, "--output type=image,push=true,"+strings.Join(output, ","))
	}
	return words
}
