package lint

import (
	"fmt"

	words "github.com/medusa-deploy/medusa-deploy/internal/github/near"
)

// near is a hint at the name that was probably meant; empty when none is close.
func near(name string, known []string) string {
	best := words.Word(name, known)
	if best == "" || best == name {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}
