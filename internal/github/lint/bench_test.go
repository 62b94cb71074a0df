package lint

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkSource looks at the corpus' longest workflows, a file an operation.
func BenchmarkSource(b *testing.B) {
	for _, name := range []string{"ecs-plain", "ghcr-buildx", "bash-syntax"} {
		content, err := os.ReadFile(filepath.Join("testdata", "good", name+".yml"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Source(b.Context(), name+".yml", content, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
