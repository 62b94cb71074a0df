package sbom

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
)

// occurrencesShown bounds how many files are named that say of a package that it is there.
const occurrencesShown = 8

// About is what a document is about and who wrote it.
type About struct {
	Repository   string // HOST/NAME
	Digest       string // of the platform's manifest
	Architecture string // amd64; empty: unknown
	Tool         string
	ToolVersion  string
	Serial       string // a UUID
	Time         time.Time
}

// CycloneDX writes the inventory as a CycloneDX 1.6 document.
// https://cyclonedx.org/docs/1.6/json/
func (i Inventory) CycloneDX(about About) ([]byte, error) {
	image := imageComponent(about)
	bom := cdx.NewBOM()
	bom.SerialNumber = "urn:uuid:" + about.Serial
	bom.Metadata = &cdx.Metadata{
		Timestamp: about.Time.UTC().Format(time.RFC3339),
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: about.Tool, Version: about.ToolVersion}}},
		Component: &image,
	}
	components := []cdx.Component{}
	if i.Distro.ID != "" {
		components = append(components, distroComponent(i.Distro))
	}
	references := []string{}
	for n, p := range i.Packages {
		c := component(p, i.Distro)
		c.BOMRef = strconv.Itoa(n+1) + ":" + c.PackageURL
		references = append(references, c.BOMRef)
		components = append(components, c)
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: image.BOMRef, Dependencies: &references}}
	bom.Compositions = i.compositions(image.BOMRef)
	if len(i.Unread) > 0 {
		bom.Metadata.Properties = &[]cdx.Property{{Name: "medusa-deploy:unread-package-databases", Value: strings.Join(i.Unread, ",")}}
	}
	var out bytes.Buffer
	encoder := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON)
	if err := encoder.EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("write the SBOM: %w", err)
	}
	return out.Bytes(), nil
}

// compositions says that the list is not complete: what came by other ways than the known package managers is not in it.
func (i Inventory) compositions(image string) *[]cdx.Composition {
	return &[]cdx.Composition{{Aggregate: cdx.CompositionAggregateIncomplete, Assemblies: &[]cdx.BOMReference{cdx.BOMReference(image)}}}
}

func imageComponent(about About) cdx.Component {
	name := about.Repository[strings.LastIndexByte(about.Repository, '/')+1:]
	qualifiers := map[string]string{"repository_url": about.Repository}
	if about.Architecture != "" {
		qualifiers["arch"] = about.Architecture
	}
	purl := packageURL(packageurl.TypeOCI, "", name, about.Digest, qualifiers)
	return cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeContainer, Name: about.Repository, Version: about.Digest, PackageURL: purl}
}

func distroComponent(d Distro) cdx.Component {
	return cdx.Component{BOMRef: "os:" + d.ID + "@" + d.Version, Type: cdx.ComponentTypeOS, Name: d.ID, Version: d.Version, Description: d.Name}
}

func component(p Located, d Distro) cdx.Component {
	c := cdx.Component{Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, PackageURL: p.url(d)}
	if p.Program {
		c.Type = cdx.ComponentTypeApplication
	}
	if p.License != "" {
		c.Licenses = &cdx.Licenses{{License: &cdx.License{Name: p.License}}}
	}
	occurrences := []cdx.EvidenceOccurrence{}
	for _, where := range p.Paths[:min(len(p.Paths), occurrencesShown)] {
		occurrences = append(occurrences, cdx.EvidenceOccurrence{Location: "/" + where})
	}
	c.Evidence = &cdx.Evidence{Occurrences: &occurrences}
	return c
}

// url is the package's URL, which is what vulnerability scanners go by.
// https://github.com/package-url/purl-spec/blob/main/PURL-TYPES.rst
func (p Package) url(d Distro) string {
	namespace, name := "", p.Name
	qualifiers := map[string]string{}
	switch p.Kind {
	case kindDebian, kindAlpine:
		namespace = d.ID
		if namespace == "" {
			namespace = map[string]string{kindDebian: "debian", kindAlpine: "alpine"}[p.Kind]
		} else if d.Version != "" {
			qualifiers["distro"] = d.ID + "-" + d.Version
		}
		if p.Architecture != "" {
			qualifiers["arch"] = p.Architecture
		}
		if p.Source != "" {
			qualifiers["upstream"] = p.Source
		}
	default:
		if slash := strings.LastIndexByte(p.Name, '/'); slash > 0 {
			namespace, name = p.Name[:slash], p.Name[slash+1:]
		}
	}
	return packageURL(p.Kind, namespace, name, p.Version, qualifiers)
}

func packageURL(kind, namespace, name, version string, qualifiers map[string]string) string {
	return packageurl.NewPackageURL(kind, namespace, name, version, packageurl.QualifiersFromMap(qualifiers), "").ToString()
}
