package localaws

import (
	"net/http"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecs"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/elb"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/logs"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/rates"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/seal"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/secrets"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ssm"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/sts"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// targetPatience is none: the load balancer has the patience with new targets, and knows why they fail.
const targetPatience = time.Nanosecond

// parts are the services of one local AWS.
type parts struct {
	ecr     *ecr.Backend
	ecs     *ecs.Backend
	elb     *elb.Balancer
	regions *regions
	meter   *rates.Meter
	api     http.Handler
	control http.Handler
}

// assemble wires the services; info says where they are served.
func assemble(o Options, info Info, keys keyPair, state *store.Store, containers engine.Engine) (*parts, error) {
	p := parts{meter: rates.New(o.Rates == RatesAWS, nil)}
	var err error
	d := dir(o.Dir)
	if p.ecr, err = ecr.New(ecr.Config{Store: state, Dir: d.images(), Host: info.Host, Pull: info.Listen, Log: o.Log}); err != nil {
		return nil, err
	}
	if p.elb, err = elb.New(elb.Config{Store: state, Log: o.Log, AssumeHealthy: o.Engine == EngineSimulated}); err != nil {
		return nil, err
	}
	events, err := logs.New(logs.Config{Store: state, Dir: d.events(), Log: o.Log})
	if err != nil {
		return nil, err
	}
	stored, err := openVault(state, d.secretKey())
	if err != nil {
		return nil, err
	}
	p.ecs, err = ecs.New(ecs.Config{
		Store: state, Engine: containers, Images: images{p.ecr}, LoadBalancer: balancer{p.elb}, Logs: sink{events}, Secrets: stored,
		Log: o.Log, SteadyAfter: o.SteadyAfter, HealthyAfter: o.HealthyAfter, TargetPatience: targetPatience,
	})
	if err != nil {
		return nil, err
	}
	if p.regions, err = openRegions(state); err != nil {
		return nil, err
	}
	p.api, err = wire.NewHandler(wire.Config{
		Services: []wire.Service{
			(&sts.Backend{}).Service(), p.ecr.Service(), p.ecs.Service(), events.Service(), stored.secrets.Service(), stored.ssm.Service(),
		},
		Credentials: keys.secretOf,
		Admit:       p.meter.Admit,
		Log:         o.Log,
	})
	p.control = &control{parts: &p, info: info}
	return &p, err
}

// openVault opens what keeps secret values.
func openVault(state *store.Store, key string) (v vault, err error) {
	box, err := seal.Open(key)
	if err != nil {
		return v, err
	}
	if v.secrets, err = secrets.New(secrets.Config{Store: state, Box: box}); err != nil {
		return v, err
	}
	v.ssm, err = ssm.New(ssm.Config{Store: state, Box: box})
	return v, err
}

// handler shares the one listener: the registry has /v2/ (OCI distribution specification), and everything that is not
// control is an API.
func (p *parts) handler() http.Handler {
	registry := p.ecr.Registry()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v2" || strings.HasPrefix(r.URL.Path, "/v2/"):
			registry.ServeHTTP(w, r)
		case strings.HasPrefix(r.URL.Path, controlPrefix):
			p.control.ServeHTTP(w, r)
		default:
			p.regions.note(r.Header.Get("Authorization"))
			p.api.ServeHTTP(w, r)
		}
	})
}
