package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"path"
	"strings"
	"text/template"
)

// Options say what to write.
type Options struct {
	App      App
	Name     string // of the app, and of its ECR repository
	Target   string // the first target: where a push goes
	Region   string
	Cluster  string
	Services []string // a server, and for Medusa a worker behind it
	Registry string   // what the config says of it; empty: the account's own
	Platform string   // linux/amd64 or linux/arm64
	Account  string   // AWS account id; empty: the one of local AWS, which has to be replaced
}

// LocalAccount is the account id of local AWS, and what stands in the files while the real one is not known.
const LocalAccount = "000000000000"

// ConfigName is the config's path.
const ConfigName = "medusa-deploy.yaml"

// File is one file to write.
type File struct {
	Path    string // slash-separated, from the directory that the files go to
	Content []byte
}

//go:embed templates
var templates embed.FS

var parsed = template.Must(template.New("").Delims("<%", "%>").Funcs(template.FuncMap{"join": strings.Join}).ParseFS(templates, "templates/*"))

// page is what a template sees.
type page struct {
	Options
	Service string // whose definition it is
	Worker  bool   // it takes no requests
	Pair    bool   // server and worker
}

// What the config's local target has without being told.
const (
	DefaultRegion  = "us-east-1"
	DefaultCluster = "medusa-cluster"
	DefaultService = "medusa-service"
)

// LocalNeeded tells whether the target local differs from its defaults.
func (p page) LocalNeeded() bool {
	return p.App.Medusa != "" || p.Region != DefaultRegion || p.Cluster != DefaultCluster || len(p.Services) != 1 || p.Services[0] != DefaultService
}

// Tasks is how many there are at first: two where they share what they have to, in Redis.
func (p page) Tasks() int {
	if p.Worker || p.App.Medusa != "" && !p.App.Redis {
		return 1
	}
	return 2
}

// Arm tells the architecture.
func (p page) Arm() bool { return p.Platform == "linux/arm64" }

// Config writes medusa-deploy.yaml.
func Config(o Options) (File, error) {
	return render(ConfigName, "config.yaml.tmpl", page{Options: o.filled()})
}

// Definitions writes the ECS JSON of each service, with the names by which the config finds them. The first service takes
// requests; a second one of a Medusa app is its worker.
func Definitions(o Options) ([]File, error) {
	o = o.filled()
	var files []File
	for i, service := range o.Services {
		task, settings := "task-definition.json", "service.json"
		if len(o.Services) > 1 {
			task, settings = service+"."+task, service+"."+settings
		}
		p := page{Options: o, Service: service, Worker: i > 0, Pair: len(o.Services) > 1}
		for _, one := range [][2]string{{task, "task.json.tmpl"}, {settings, "service.json.tmpl"}} {
			file, err := render(path.Join("ecs", one[0]), one[1], p)
			if err != nil {
				return nil, err
			}
			files = append(files, file)
		}
	}
	return files, nil
}

func (o Options) filled() Options {
	if o.Account == "" {
		o.Account = LocalAccount
	}
	if o.Platform == "" {
		o.Platform = "linux/amd64"
	}
	return o
}

func render(name, from string, p page) (File, error) {
	var out bytes.Buffer
	if err := parsed.ExecuteTemplate(&out, from, p); err != nil {
		return File{}, fmt.Errorf("write %s: %w", name, err)
	}
	return File{Path: name, Content: out.Bytes()}, nil
}
