package release

import (
	"strings"
	"testing"
)

// TestBuildByHand: what --explain shows names secrets by where they are, and all that the build depends on.
func TestBuildByHand(t *testing.T) {
	got := buildByHand(BuildRequest{
		ContextDir: "/src", Dockerfile: "/src/Dockerfile", Stage: "app", Platforms: []string{"linux/amd64"}, Repository: "h/app",
		Args: map[string]string{"B": "2", "A": "1"}, Labels: map[string]string{"own": "yes"}, NoCache: true,
		Secrets:  []BuildSecret{{ID: "token", Env: "NPM_TOKEN"}, {ID: "npmrc", File: "/src/.npmrc"}},
		SSH:      []BuildSSH{{ID: "default"}, {ID: "key", Paths: []string{"/keys/a"}}},
		Contexts: map[string]string{"assets": "/assets"}, Cache: BuildCache{Kind: CacheRegistry, Ref: "cache"},
		Compression: CompressionZstd, Reproducible: true,
	}, Commit{SHA: "abc"})
	want := "docker buildx build --provenance=false --platform linux/amd64 --target app --build-arg A=1 --build-arg B=2 --label own=yes" +
		" --secret id=token,env=NPM_TOKEN --secret id=npmrc,src=/src/.npmrc --ssh default --ssh key=/keys/a --build-context assets=/assets --no-cache" +
		" --cache-from type=registry,ref=h/app:cache --cache-to type=registry,ref=h/app:cache,mode=max,image-manifest=true,oci-mediatypes=true" +
		" --output type=image,push=true,compression=zstd,oci-mediatypes=true,rewrite-timestamp=true --tag h/app:git-abc --file /src/Dockerfile /src"
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	for cache, want := range map[BuildCache]string{
		{Kind: CacheGHA, Ref: "app"}:                " --cache-from type=gha,scope=app --cache-to type=gha,mode=max,scope=app ",
		{Kind: CacheDirectory, Ref: "/c"}:           " --cache-from type=local,src=/c --cache-to type=local,mode=max,dest=/c ",
		{Kind: CacheRegistry, Ref: "h/other:cache"}: " --cache-from type=registry,ref=h/other:cache ",
	} {
		if text := strings.Join(buildByHand(BuildRequest{Cache: cache}, Commit{Dirty: true}), "\n"); !strings.Contains(text, want) {
			t.Errorf("%q is missing in: %s", want, text)
		}
	}
}
