package sbom

import (
	"archive/tar"
	"bufio"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"runtime/debug"
	"strings"
)

// Kinds of packages, as package URLs call them.
// https://github.com/package-url/purl-spec/blob/main/PURL-TYPES.rst
const (
	kindDebian = "deb"
	kindAlpine = "apk"
	kindNPM    = "npm"
	kindGo     = "golang"
)

// Package is one thing that is installed.
type Package struct {
	Kind         string
	Name         string
	Version      string // empty: unknown
	Architecture string // of a distribution's package
	Source       string // the source package, when it is called otherwise
	License      string // as the package says it
	Program      bool   // what a Go program is, rather than what it was built from
}

// Distro is the distribution that an image is made of.
type Distro struct{ ID, Version, Name string }

const (
	databaseLimit = 256 << 20 // bytes of a distribution's package database
	metadataLimit = 4 << 20   // bytes of a package.json or os-release
	programLimit  = 2 << 30   // bytes of a program that is looked into
	smallestGo    = 256 << 10 // no Go program is smaller
)

// reader reads what a file says of what is installed.
type reader func(name string, content io.Reader) (finding, error)

var nodePackage = regexp.MustCompile(`(?:^|/)node_modules/(?:@[^/]+/)?[^/@.][^/]*/package\.json$`)

// readerOf tells how to read a file; nil when it says nothing of what is installed.
func readerOf(name string, h *tar.Header) reader {
	switch name {
	case "etc/os-release", "usr/lib/os-release":
		return readRelease
	case "var/lib/dpkg/status":
		return readDebian
	case "lib/apk/db/installed", "usr/lib/apk/db/installed":
		return readAlpine
	case "var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/Packages.db":
		return func(string, io.Reader) (finding, error) { return finding{unread: "rpm"}, nil }
	}
	switch {
	case path.Dir(name) == "var/lib/dpkg/status.d" && !strings.HasSuffix(name, ".md5sums"):
		return readDebian // an image without a package manager: a file for each package
	case nodePackage.MatchString(name):
		return readNode
	case h.FileInfo().Mode().Perm()&0o111 != 0 && (h.Typeflag == tar.TypeLink || h.Size >= smallestGo && h.Size <= programLimit):
		return readProgram
	}
	return nil
}

// readRelease reads os-release.
// https://www.freedesktop.org/software/systemd/man/latest/os-release.html
func readRelease(_ string, content io.Reader) (finding, error) {
	var d Distro
	err := lines(io.LimitReader(content, metadataLimit), func(line string) {
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch strings.TrimSpace(key) {
		case "ID":
			d.ID = value
		case "VERSION_ID":
			d.Version = value
		case "PRETTY_NAME":
			d.Name = value
		}
	})
	return finding{distro: d}, err
}

// readDebian reads dpkg's database: paragraphs of fields.
// https://www.debian.org/doc/debian-policy/ch-controlfields.html
func readDebian(_ string, content io.Reader) (finding, error) {
	var f finding
	var p Package
	installed := true
	end := func() {
		if p.Name != "" && installed {
			p.Kind = kindDebian
			f.packages = append(f.packages, p)
		}
		p, installed = Package{}, true
	}
	err := lines(io.LimitReader(content, databaseLimit), func(line string) {
		if strings.TrimSpace(line) == "" {
			end()
			return
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch field {
		case "Package":
			p.Name = value
		case "Version":
			p.Version = value
		case "Architecture":
			p.Architecture = value
		case "Source":
			p.Source, _, _ = strings.Cut(value, " ") // a version may follow
		case "Status":
			installed = strings.HasSuffix(value, " installed")
		}
	})
	end()
	return f, err
}

// readAlpine reads apk's database: paragraphs of lines X:value.
// https://wiki.alpinelinux.org/wiki/Apk_spec
func readAlpine(_ string, content io.Reader) (finding, error) {
	var f finding
	var p Package
	end := func() {
		if p.Name != "" {
			p.Kind = kindAlpine
			f.packages = append(f.packages, p)
		}
		p = Package{}
	}
	err := lines(io.LimitReader(content, databaseLimit), func(line string) {
		field, value, _ := strings.Cut(line, ":")
		switch field {
		case "":
			end()
		case "P":
			p.Name = value
		case "V":
			p.Version = value
		case "A":
			p.Architecture = value
		case "L":
			p.License = value
		case "o":
			if value != p.Name {
				p.Source = value
			}
		}
	})
	end()
	return f, err
}

// lines calls do for every line. One that is too long to be of interest is cut.
func lines(content io.Reader, do func(line string)) error {
	in := bufio.NewReaderSize(content, 64<<10)
	for {
		line, more, err := in.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		text := string(line)
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
		do(text)
	}
}

// readNode reads the package.json of an installed package. One that is not JSON installs nothing.
// https://docs.npmjs.com/cli/configuring-npm/package-json
func readNode(_ string, content io.Reader) (finding, error) {
	raw, err := io.ReadAll(io.LimitReader(content, metadataLimit))
	if err != nil {
		return finding{}, err
	}
	var said struct {
		Name, Version string
		License       json.RawMessage
	}
	if json.Unmarshal(raw, &said) != nil || said.Name == "" || said.Version == "" {
		return finding{}, nil
	}
	var license string
	if json.Unmarshal(said.License, &license) != nil {
		var old struct{ Type string }
		_ = json.Unmarshal(said.License, &old) // neither form: it says none
		license = old.Type
	}
	return finding{packages: []Package{{Kind: kindNPM, Name: said.Name, Version: said.Version, License: license}}}, nil
}

var elf = []byte("\x7fELF")

// readProgram reads what the Go toolchain writes into every program: which modules it was built from.
// https://pkg.go.dev/debug/buildinfo
func readProgram(name string, content io.Reader) (finding, error) {
	in := bufio.NewReader(content)
	if start, err := in.Peek(len(elf)); err != nil || string(start) != string(elf) {
		return finding{}, nil //nolint:nilerr // too short to be a program
	}
	file, err := os.CreateTemp("", "medusa-deploy-sbom-")
	if err != nil {
		return finding{}, fmt.Errorf("keep the program for a look into it: %w", err)
	}
	defer func() {
		file.Close()
		_ = os.Remove(file.Name()) // in the temporary directory, and ours
	}()
	if _, err := io.Copy(file, in); err != nil {
		return finding{}, err
	}
	info, err := buildinfo.Read(file)
	if err != nil {
		return finding{}, nil //nolint:nilerr // a program of another language
	}
	return finding{packages: modules(name, info)}, nil
}

// modules lists a Go program, the standard library, and the modules that it was built from.
func modules(name string, info *debug.BuildInfo) []Package {
	main := Package{Kind: kindGo, Name: info.Main.Path, Version: released(info.Main.Version), Program: true}
	if main.Name == "" {
		main.Name = path.Base(name)
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ") // experiments may follow
	all := []Package{main, {Kind: kindGo, Name: "stdlib", Version: version}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		all = append(all, Package{Kind: kindGo, Name: m.Path, Version: released(m.Version)})
	}
	return all
}

// released is a module's version; empty when it was built from a work tree that has none.
func released(version string) string {
	if version == "(devel)" {
		return ""
	}
	return version
}
