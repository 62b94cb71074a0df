package rehearsal

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Fault is one way in which a call goes wrong on its way to AWS or back.
type Fault string

// The faults that a Proxy injects.
const (
	FaultThrottle    Fault = "throttled"            // refused for its rate
	FaultServer      Fault = "500"                  // the service failed
	FaultUnavailable Fault = "503"                  // what stands before the service has nobody to ask
	FaultResetBefore Fault = "reset before arrival" // the call never arrived
	FaultResetAfter  Fault = "reset after arrival"  // it was acted on, and its answer is lost
	FaultTruncate    Fault = "answer cut off"       // it was acted on, and half of its answer is lost
	FaultExpired     Fault = "expired token"        // the credentials are refused
	FaultStall       Fault = "stalled"              // nothing happens for half a minute, and then the connection breaks
)

// weights say how often each fault is injected among all. A stall costs real time and is rare.
var weights = []struct {
	Fault
	weight int
}{
	{FaultThrottle, 4}, {FaultServer, 3}, {FaultUnavailable, 3}, {FaultResetBefore, 4}, {FaultResetAfter, 4}, {FaultTruncate, 4},
	{FaultExpired, 3}, {FaultStall, 1},
}

// chance is what the seed has in store for the nth time that something happens, whatever else happens meanwhile.
func (c ProxyConfig) chance(what string, n int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, what, " ", n)
	return rand.New(rand.NewPCG(c.Seed, h.Sum64()))
}

// fate is what happens to the nth call of an operation. The empty fault: it goes through.
func (c ProxyConfig) fate(operation string, p protocol, n int) Fault {
	chance := c.chance(operation, n)
	if chance.Float64() >= c.Share {
		return ""
	}
	var faults []Fault
	for _, w := range weights {
		// The registry's tokens expire once and for all: see lifetime.
		if c.injects(w.Fault) && (w.Fault != FaultExpired || p != protocolRegistry) {
			faults = append(faults, slices.Repeat([]Fault{w.Fault}, w.weight)...)
		}
	}
	if len(faults) == 0 {
		return ""
	}
	return faults[chance.IntN(len(faults))]
}

// lifetime is how many calls the nth token of the registry is good for: half as many tokens expire early as calls go
// wrong. It is good for one at least.
func (c ProxyConfig) lifetime(n int) int {
	chance := c.chance("token", n)
	if !c.injects(FaultExpired) || chance.Float64() >= c.Share/2 {
		return math.MaxInt
	}
	return 1 + chance.IntN(10)
}

func (c ProxyConfig) injects(f Fault) bool { return len(c.Only) == 0 || slices.Contains(c.Only, f) }

// protocol is how a request's answers look.
type protocol int

const (
	protocolJSON     protocol = iota // AWS JSON 1.1
	protocolQuery                    // AWS Query: form in, XML out
	protocolRegistry                 // the OCI registry's
)

// describe tells which operation a request calls, and in which protocol.
func describe(r *http.Request, form func() string) (operation string, p protocol) {
	if strings.HasPrefix(r.URL.Path, "/v2/") || r.URL.Path == "/v2" {
		kind := "ping"
		for _, one := range []string{"/blobs/uploads", "/blobs/", "/manifests/", "/tags/", "/referrers/"} {
			if strings.Contains(r.URL.Path, one) {
				kind = strings.Trim(one, "/")
				break
			}
		}
		return r.Method + " " + kind, protocolRegistry
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, operation, _ := strings.Cut(target, ".")
		return operation, protocolJSON
	}
	if values, err := url.ParseQuery(form()); err == nil && values.Get("Action") != "" {
		return values.Get("Action"), protocolQuery
	}
	return r.Method + " " + r.URL.Path, protocolQuery
}

// refusal is the answer of a fault that has one, as AWS words it.
func (f Fault) refusal(p protocol) (status int, contentType, body string) {
	if f == FaultUnavailable && p != protocolRegistry {
		return http.StatusServiceUnavailable, "text/html", "<html><body><b>Http/1.1 Service Unavailable</b></body> </html>"
	}
	known := refusals[f][p]
	switch p {
	case protocolJSON:
		return known.status, "application/x-amz-json-1.1", fmt.Sprintf(`{"__type":%q,"message":%q}`, known.code, known.message)
	case protocolQuery:
		return known.status, "text/xml", fmt.Sprintf(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>0</RequestId></ErrorResponse>`, known.code, known.message)
	}
	return known.status, "application/json", fmt.Sprintf(`{"errors":[{"code":%q,"message":%q}]}`, known.code, known.message)
}

type refusal struct {
	status        int
	code, message string
}

// refusals are AWS's own words. ECR's registry answers a rate that is exceeded with 429, and a token that has expired
// with 403.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors.html
var refusals = map[Fault]map[protocol]refusal{
	FaultThrottle: {
		protocolJSON:     {http.StatusBadRequest, "ThrottlingException", "Rate exceeded"},
		protocolQuery:    {http.StatusBadRequest, "Throttling", "Rate exceeded"},
		protocolRegistry: {http.StatusTooManyRequests, "TOOMANYREQUESTS", "Rate exceeded"},
	},
	FaultServer: {
		protocolJSON:     {http.StatusInternalServerError, "ServerException", "Service Unavailable. Please try again later."},
		protocolQuery:    {http.StatusInternalServerError, "InternalFailure", "We encountered an internal error. Please try again."},
		protocolRegistry: {http.StatusInternalServerError, "UNKNOWN", "unknown error"},
	},
	FaultUnavailable: {
		protocolRegistry: {http.StatusServiceUnavailable, "UNAVAILABLE", "service unavailable"},
	},
	FaultExpired: {
		protocolJSON:     {http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired"},
		protocolQuery:    {http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"},
		protocolRegistry: {http.StatusForbidden, "DENIED", "Your authorization token has expired. Reauthenticate and try again."},
	},
}
