package medusa

// Facts are what a config says in one environment, with Medusa's own defaults for what it leaves out. Texts are as they
// stand, empty when there is none; Known tells whether they are known.
type Facts struct {
	DatabaseURL   string // empty or DefaultDatabase: nobody has said it
	OtherDatabase bool   // the connection is described in another way
	RedisURL      string // of sessions; empty: they are kept in the process
	SessionStore  bool   // sessions are kept elsewhere
	WorkerMode    string // shared | server | worker
	JWTSecret     string
	CookieSecret  string
	CORS          [3]string // in the order of CORSVariables
	AdminOff      bool
	AdminKnown    bool          // whether AdminOff is known
	BackendURL    string        // that the admin is built with
	Kept          map[Kind]bool // what is kept in the process: in its memory or, of files, on its disk
}

// CORSVariables are the variables of Facts.CORS.
var CORSVariables = [3]string{"STORE_CORS", "ADMIN_CORS", "AUTH_CORS"}

// Medusa's own defaults: @medusajs/utils, common/define-config, and @medusajs/framework, config/config.
const (
	DefaultDatabase = "postgres://localhost/medusa-starter-default"
	DefaultSecret   = "supersecret"
	defaultStore    = "http://localhost:8000"
	defaultAdmin    = "http://localhost:7000,http://localhost:7001,http://localhost:5173"
	defaultBackend  = "/"
)

// raw is what the sandbox tells of a config.
type raw struct {
	Defined                       bool // by defineConfig
	Project                       bool
	DatabaseURL                   string
	HasDatabaseURL, OtherDatabase bool
	RedisURL                      string
	SessionStore                  bool
	WorkerMode                    string
	JWTSecret, CookieSecret       string
	HasJWTSecret, HasCookieSecret bool
	CORS                          []struct {
		Set  bool
		Text string
	}
	AdminDisabled string
	BackendURL    string
	HasBackendURL bool
	Modules       []module
}

// with adds what Medusa itself makes of a config in an environment.
func (r raw) with(env Environment) Facts {
	vars := env.variables()
	f := Facts{
		DatabaseURL: r.DatabaseURL, OtherDatabase: r.OtherDatabase, RedisURL: r.RedisURL, SessionStore: r.SessionStore,
		WorkerMode: first(r.WorkerMode, vars["MEDUSA_WORKER_MODE"], "shared"), AdminOff: r.AdminDisabled != "" && Known(r.AdminDisabled), AdminKnown: Known(r.AdminDisabled),
		JWTSecret: r.JWTSecret, CookieSecret: r.CookieSecret, BackendURL: r.BackendURL,
	}
	if !r.HasDatabaseURL && r.Defined {
		f.DatabaseURL = first(vars["DATABASE_URL"], DefaultDatabase)
	}
	if f.JWTSecret == "" {
		f.JWTSecret = vars["JWT_SECRET"]
	}
	if f.CookieSecret == "" {
		f.CookieSecret = vars["COOKIE_SECRET"]
	}
	if !env.production() {
		f.JWTSecret, f.CookieSecret = first(f.JWTSecret, DefaultSecret), first(f.CookieSecret, DefaultSecret)
	}
	if !r.HasBackendURL {
		f.BackendURL = first(vars["MEDUSA_BACKEND_URL"], defaultBackend)
	}
	defaults := [3]string{defaultStore, defaultAdmin, defaultAdmin}
	for i, c := range r.CORS {
		if f.CORS[i] = c.Text; !c.Set && r.Defined {
			f.CORS[i] = first(vars[CORSVariables[i]], defaults[i])
		}
	}
	f.Kept = keep(r.Modules)
	return f
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
