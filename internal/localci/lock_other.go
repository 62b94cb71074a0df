//go:build !unix

package localci

import (
	"errors"
	"os"
)

func lockFile(*os.File) (bool, error) { return false, errors.ErrUnsupported }
