package workflow

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// Path is where the workflow lies in a repository.
const Path = ".github/workflows/deploy.yml"

// Platforms that ECS runs.
const (
	amd64 = "linux/amd64"
	arm64 = "linux/arm64"
)

//go:embed templates
var templates embed.FS

// Delimiters that neither expressions nor shell scripts have.
var parsed = template.Must(template.New("").Delims("<%", "%>").Funcs(template.FuncMap{
	"quote": quote, "sh": shellQuote, "join": strings.Join,
}).ParseFS(templates, "templates/*.tmpl"))

// Render writes the workflow. Options that cannot be written safely are refused, all of them at once.
func Render(o Options) ([]byte, error) {
	o.fill()
	if err := o.validate(); err != nil {
		return nil, err
	}
	body := "managed.yml.tmpl"
	if o.Plain {
		body = "plain.yml.tmpl"
	}
	var out bytes.Buffer
	for _, name := range []string{"head.yml.tmpl", body} {
		if err := parsed.ExecuteTemplate(&out, name, page{o}); err != nil {
			return nil, fmt.Errorf("write the workflow: %w", err)
		}
	}
	return out.Bytes(), nil
}

// fill sets what may be left out.
func (o *Options) fill() {
	if o.RoleVariable == "" {
		o.RoleVariable = DefaultRoleVariable
	}
	if o.Context == "" {
		o.Context = "."
	}
	if o.Dockerfile == "" {
		o.Dockerfile = "Dockerfile"
	}
	if len(o.Platforms) == 0 {
		o.Platforms = []string{amd64}
	}
}

// page is what the templates see.
type page struct{ Options }

// First is where a push goes.
func (p page) First() Target { return p.Targets[0] }

// Uses are the references of the third-party actions.
func (page) Uses() map[string]Action {
	return map[string]Action{"Checkout": checkout, "Credentials": awsCredentials, "Buildx": setupBuildx, "QEMU": setupQEMU}
}

// SignsIn tells whether a step signs in to AWS by OIDC.
func (p page) SignsIn() bool { return p.Auth == AuthOIDC && (p.Plain || !p.TakesRole) }

// IDToken is what the job's identity token is for; empty: it gets none.
func (p page) IDToken() string {
	switch keyless := p.Keyless && !p.Plain; {
	case p.Auth == AuthOIDC && keyless:
		return "to sign in to AWS and to sign images as this workflow, without a stored key"
	case p.Auth == AuthOIDC:
		return "to sign in to AWS as this workflow, without a stored key"
	case keyless:
		return "to sign images as this workflow, without a stored key"
	}
	return ""
}

// SecretNames are the secrets that the program reads.
func (p page) SecretNames() []string {
	if p.Auth == AuthKeys {
		return append([]string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ECR_URL"}, p.Secrets...)
	}
	return p.Secrets
}

// Runner is GitHub's machine of the architecture that is built for: an emulator takes several times as long.
func (p page) Runner() string {
	if slices.Equal(p.Platforms, []string{arm64}) {
		return "ubuntu-24.04-arm"
	}
	return "ubuntu-latest"
}

// Emulated tells whether one machine has to build for two architectures.
func (p page) Emulated() bool {
	return slices.Contains(p.Platforms, amd64) && slices.Contains(p.Platforms, arm64)
}

// PrepareLine is the prepare command as one line of a shell script, quoted for YAML.
func (p page) PrepareLine() string {
	words := make([]string, len(p.Prepare))
	for i, word := range p.Prepare {
		words[i] = shellQuote(word)
	}
	return quote(strings.Join(words, " "))
}

// Pick is a value of the chosen target: itself when all targets agree, else an expression that looks it up.
func (p page) Pick(field string) (string, error) {
	values := map[string]string{}
	same := true
	for _, t := range p.Targets {
		value := map[string]string{
			"Region": t.Region, "Cluster": t.Cluster, "Services": strings.Join(t.Services, " "), "Environment": t.Environment,
		}[field]
		values[t.Name] = value
		same = same && value == values[p.First().Name]
	}
	if same {
		return quote(values[p.First().Name]), nil
	}
	if field == "Environment" && p.namedAfterTargets() {
		return fmt.Sprintf("${{ inputs.target || '%s' }}", p.First().Name), nil
	}
	table, err := json.Marshal(values) // keys in order
	if err != nil {
		return "", fmt.Errorf("look %s up by target: %w", field, err)
	}
	return fmt.Sprintf("${{ fromJSON('%s')[inputs.target || '%s'] }}", table, p.First().Name), nil
}

func (p page) namedAfterTargets() bool {
	return !slices.ContainsFunc(p.Targets, func(t Target) bool { return t.Name != t.Environment })
}

// quote writes a string as YAML reads it back: bare where no reader can take it for anything else.
func quote(s string) string {
	if bare.MatchString(s) && !slices.Contains(ambiguous, strings.ToLower(s)) {
		return s
	}
	return jsonString(s)
}

// jsonString is s in double quotes. The escapes of a JSON string are YAML's, too.
func jsonString(s string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// shellQuote makes one word of a shell script.
func shellQuote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
