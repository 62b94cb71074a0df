package containerd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// BinariesVariable is the environment variable that names the directory of the engine's binaries.
const BinariesVariable = "MEDUSA_DEPLOY_ENGINE_DIR"

// ErrNoBinaries says that the engine's binaries are in none of the places where they are looked for.
var ErrNoBinaries = errors.New("the container engine is not built")

// initName is the program that a container whose task asks for an init process starts with.
const initName = "init"

// binaryNames is what `make engine` builds, relative to its directory.
func binaryNames() []string {
	return []string{
		"containerd", "containerd-shim-runc-v2", "runc", "buildkitd", initName,
		"cni/bridge", "cni/host-local", "cni/loopback",
	}
}

// BuildKitNames is what of `make engine`'s programs runs BuildKit alone.
func BuildKitNames() []string { return []string{"runc", "buildkitd"} }

// FindBinaries returns the absolute directory of the engine's binaries: explicit when it is not empty, else
// $MEDUSA_DEPLOY_ENGINE_DIR, else engine/ beside the running program, else ../libexec/medusa-deploy from there. A place
// that was named but is incomplete is an error, not a reason to look on.
func FindBinaries(explicit string) (string, error) { return find(explicit, binaryNames()) }

// FindBuildKit is FindBinaries for who needs BuildKitNames alone.
func FindBuildKit(explicit string) (string, error) { return find(explicit, BuildKitNames()) }

func find(explicit string, names []string) (string, error) {
	if explicit != "" {
		return namedBinaries(explicit, "the engine directory", names)
	}
	if dir := os.Getenv(BinariesVariable); dir != "" {
		return namedBinaries(dir, BinariesVariable, names)
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the running program: %w", err)
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return firstComplete(defaultPlaces(exe), names)
}

func defaultPlaces(exe string) []string {
	here := filepath.Dir(exe)
	return []string{filepath.Join(here, "engine"), filepath.Join(filepath.Dir(here), "libexec", "medusa-deploy")}
}

func firstComplete(places, names []string) (string, error) {
	var looked []string
	for _, dir := range places {
		missing := missingBinaries(dir, names)
		if len(missing) == 0 {
			return dir, nil
		}
		looked = append(looked, fmt.Sprintf("%s (no %s)", dir, strings.Join(missing, ", ")))
	}
	return "", fmt.Errorf("%w: looked in %s; build it with `make engine`, or name its directory in %s",
		ErrNoBinaries, strings.Join(looked, " and "), BinariesVariable)
}

func namedBinaries(dir, source string, names []string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("%s: %w", source, err)
	}
	if missing := missingBinaries(abs, names); len(missing) > 0 {
		return "", fmt.Errorf("%w: %s names %s, which lacks %s; build it with `make engine`",
			ErrNoBinaries, source, abs, strings.Join(missing, ", "))
	}
	return abs, nil
}

func missingBinaries(dir string, names []string) []string {
	var missing []string
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			missing = append(missing, name)
		}
	}
	return missing
}
