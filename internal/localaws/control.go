package localaws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/rates"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	// controlPrefix is where local AWS has what AWS has not.
	controlPrefix = "/_local/"
	statusPath    = controlPrefix + "status"
	// describeLimit is how many services DescribeServices takes (its API reference).
	describeLimit = 10
)

// Service is an ECS service as Inspect tells of it.
type Service struct {
	Region  string `json:"region"`
	Cluster string `json:"cluster"`
	Name    string `json:"name"`
	Desired int    `json:"desired"`
	Running int    `json:"running"`
	Pending int    `json:"pending"`
	URL     string `json:"url,omitempty"` // of its load balancer; empty when it has none
}

// answer is what the status path answers.
type answer struct {
	PID      int           `json:"pid"`
	Services []Service     `json:"services"`
	Calls    []rates.Count `json:"calls"`
}

// control answers the program itself. It changes nothing and tells no secret, so it needs no signature; but a web page
// that was led here by its own name for 127.0.0.1 gets nothing.
type control struct {
	parts *parts
	info  Info
}

// ServeHTTP implements http.Handler.
func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !addressedHere(r.Host):
		http.Error(w, "the Host header names no loopback address", http.StatusForbidden)
	case r.URL.Path != statusPath:
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
	default:
		services, err := c.parts.services(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer{PID: c.info.PID, Services: services, Calls: c.parts.meter.Counts()}) // a client that went away needs no answer
	}
}

// addressedHere says whether a Host header is that of a loopback address.
func addressedHere(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// services gives the active services of every region, as the API tells them.
func (p *parts) services(ctx context.Context) ([]Service, error) {
	all := []Service{}
	for _, region := range p.regions.all() {
		ctx := wire.WithCaller(ctx, wire.Caller{Region: region})
		clusters, err := p.ecs.ListClusters(ctx, &awsecs.ListClustersInput{})
		if err != nil {
			return nil, fmt.Errorf("list clusters of %s: %w", region, err)
		}
		for _, cluster := range clusters.ClusterArns {
			services, err := p.servicesOf(ctx, cluster)
			if err != nil {
				return nil, fmt.Errorf("list services of %s: %w", cluster, err)
			}
			for _, s := range services {
				all = append(all, p.tell(region, s))
			}
		}
	}
	return all, nil
}

func (p *parts) servicesOf(ctx context.Context, cluster string) ([]types.Service, error) {
	var all []types.Service
	in := &awsecs.ListServicesInput{Cluster: &cluster, MaxResults: aws.Int32(100)}
	for {
		page, err := p.ecs.ListServices(ctx, in)
		if err != nil {
			return nil, err
		}
		for some := range slices.Chunk(page.ServiceArns, describeLimit) {
			out, err := p.ecs.DescribeServices(ctx, &awsecs.DescribeServicesInput{Cluster: &cluster, Services: some})
			if err != nil {
				return nil, err
			}
			all = append(all, out.Services...)
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return all, nil
		}
	}
}

func (p *parts) tell(region string, s types.Service) Service {
	told := Service{
		Region: region, Cluster: path.Base(aws.ToString(s.ClusterArn)), Name: aws.ToString(s.ServiceName),
		Desired: int(s.DesiredCount), Running: int(s.RunningCount), Pending: int(s.PendingCount),
	}
	if len(s.LoadBalancers) > 0 {
		told.URL = p.elb.URL(aws.ToString(s.LoadBalancers[0].TargetGroupArn))
	}
	return told
}

// askTimeout is how long a server may take to say how it is.
const askTimeout = 10 * time.Second

// ask gets the status of the server that info describes.
func ask(ctx context.Context, info Info) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+info.Listen+statusPath, nil)
	if err != nil {
		return answer{}, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // never through a proxy
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var a answer
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("%s answers %s", info.Listen, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return answer{}, fmt.Errorf("%s: %w", info.Listen, err)
	}
	if a.PID != info.PID {
		return answer{}, errors.New("another server than this directory's answers on " + info.Listen)
	}
	return a, nil
}
