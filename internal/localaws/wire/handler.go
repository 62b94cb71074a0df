package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// DefaultMaxBody is how large a request body may be, in bytes, when its service does not say.
const DefaultMaxBody = 4 << 20

// Service is one AWS service that the handler serves. Exactly one of TargetPrefix and QueryVersion is set: it chooses
// the protocol.
type Service struct {
	Name         string // the signing name: ecs, ecr, logs, sts, …
	TargetPrefix string // AWS JSON 1.1: X-Amz-Target up to the dot
	QueryVersion string // Query: the API's version, as the parameter Version has it
	Namespace    string // Query: of the XML; empty: https://NAME.amazonaws.com/doc/VERSION/
	// Backend has a method for each operation. Other exported methods must not have an operation's shape.
	Backend any
	// Operations are all that AWS has (see OperationsOf): those that Backend lacks answer an error that names them.
	Operations []string
	// Capitalised says for which of the SDK's structs the members begin with a capital letter in AWS JSON, as in Go;
	// nil: for none. ECR's Tag is one, and all of Secrets Manager's are.
	Capitalised func(reflect.Type) bool
	// ValidationCode is the code of a *ValidationError; empty: InvalidParameterException.
	ValidationCode string
	// MaxBody limits request bodies, in bytes; 0: DefaultMaxBody.
	MaxBody int64
}

// Config is what NewHandler needs.
type Config struct {
	Services []Service
	// Credentials gives the secret of an access key; ok is false when there is no such key.
	Credentials func(accessKey string) (secret string, ok bool)
	// Admit may refuse a call whose signature is good; nil: none is refused.
	Admit func(Call) error
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger     // nil: none
}

// Call is what a request asks for.
type Call struct {
	Region    string
	Service   string // the signing name
	Operation string
}

// NewHandler makes the handler of every service's API. It refuses a configuration that could not work.
func NewHandler(cfg Config) (http.Handler, error) {
	h := &handler{endpoints: map[string]*endpoint{}, credentials: cfg.Credentials, admit: cfg.Admit, now: cfg.Now, log: cfg.Log}
	if h.credentials == nil {
		return nil, errors.New("wire: Config.Credentials is missing")
	}
	if h.admit == nil {
		h.admit = func(Call) error { return nil }
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.unknown = awsQuery{shapes: &shapes{}, namespace: "https://amazonaws.com/"}
	h.unknownJSON = awsJSON{shapes: &shapes{}}
	for _, service := range cfg.Services {
		e, err := newEndpoint(service)
		if err != nil {
			return nil, err
		}
		if h.endpoints[service.Name] != nil {
			return nil, fmt.Errorf("wire: the service %s is there twice", service.Name)
		}
		h.endpoints[service.Name] = e
	}
	return h, nil
}

// endpoint is a service made ready to be called.
type endpoint struct {
	name       string
	protocol   protocol
	operations map[string]operation
	known      []string
	maxBody    int64
	validation string // Service.ValidationCode
}

func newEndpoint(s Service) (*endpoint, error) {
	if s.Name == "" || s.Backend == nil || (s.TargetPrefix == "") == (s.QueryVersion == "") {
		return nil, fmt.Errorf("wire: the service %q needs a name, a backend, and either a target prefix or a Query version", s.Name)
	}
	e := &endpoint{name: s.Name, operations: operationsOf(s.Backend), known: s.Operations, maxBody: s.MaxBody, validation: s.ValidationCode}
	if e.maxBody == 0 {
		e.maxBody = DefaultMaxBody
	}
	if len(e.operations) == 0 {
		return nil, fmt.Errorf("wire: the backend of %s has no operation", s.Name)
	}
	for name := range e.operations {
		if len(s.Operations) > 0 && !slices.Contains(s.Operations, name) {
			return nil, fmt.Errorf("wire: %s has no operation %s, but its backend has", s.Name, name)
		}
	}
	known := &shapes{capitalised: s.Capitalised}
	if s.TargetPrefix != "" {
		e.protocol = awsJSON{shapes: known, prefix: strings.TrimSuffix(s.TargetPrefix, ".") + "."}
		return e, nil
	}
	namespace := s.Namespace
	if namespace == "" {
		namespace = "https://" + s.Name + ".amazonaws.com/doc/" + s.QueryVersion + "/"
	}
	e.protocol = awsQuery{shapes: known, version: s.QueryVersion, namespace: namespace}
	return e, nil
}

type handler struct {
	endpoints            map[string]*endpoint
	unknown, unknownJSON protocol // speak for requests that reach no service
	credentials          func(string) (string, bool)
	admit                func(Call) error
	now                  func() time.Time
	log                  *slog.Logger
}

// call is one request on its way.
type call struct {
	id        string
	protocol  protocol
	service   string
	operation string
	region    string
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	c := &call{id: uuid.NewString(), protocol: h.unknown}
	if r.Header.Get("X-Amz-Target") != "" {
		c.protocol = h.unknownJSON
	}
	out, err := h.serve(r, c)
	if err == nil {
		err = c.succeed(w, out)
	}
	status := "ok"
	if err != nil {
		status = c.fail(w, err)
	}
	level := slog.LevelDebug
	if status == "InternalFailure" {
		level = slog.LevelError
	}
	h.log.Log(r.Context(), level, "aws call", "service", c.service, "operation", c.operation, "region", c.region,
		"request", c.id, "result", status, "took", time.Since(start), "err", err)
	if p := new(panicked); errors.As(err, &p) {
		h.log.Error("panic", "request", c.id, "stack", string(p.stack))
	}
}

// serve authenticates and runs the call. It fills c as it learns, so that an error is told in the right protocol.
func (h *handler) serve(r *http.Request, c *call) (any, error) {
	claim, err := parseAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	c.service, c.region = claim.service, claim.region
	e := h.endpoints[claim.service]
	if e == nil {
		return nil, notImplemented("local AWS has no service %q; it has %s", claim.service, strings.Join(h.names(), ", "))
	}
	c.protocol = e.protocol
	secret, ok := h.credentials(claim.accessKey)
	if !ok {
		return nil, errUnknownKey
	}
	body, err := readBody(r, e.maxBody)
	if err != nil {
		return nil, err
	}
	if err := claim.verify(r, body, secret, h.now()); err != nil {
		return nil, err
	}
	if c.operation, err = e.protocol.operation(r, body); err != nil {
		return nil, err
	}
	if err := h.admit(Call{Region: claim.region, Service: claim.service, Operation: c.operation}); err != nil {
		return nil, err
	}
	ctx := WithCaller(r.Context(), Caller{Region: claim.region, AccessKey: claim.accessKey})
	out, err := e.run(ctx, c.operation, func(into reflect.Value) error { return e.protocol.decode(r, body, into) })
	return out, e.coded(err)
}

// coded gives a broken constraint the code that this service has for it.
func (e *endpoint) coded(err error) error {
	if invalid := new(ValidationError); errors.As(err, &invalid) {
		return &ValidationError{violations: invalid.violations, code: e.validation}
	}
	return err
}

func (h *handler) names() []string {
	names := make([]string, 0, len(h.endpoints))
	for name := range h.endpoints {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, malformed("the request body could not be read: %v", err)
	}
	if int64(len(body)) > limit {
		return nil, tooLarge(limit)
	}
	return body, nil
}

// run decodes the input, checks its enums and calls the backend's method. A panic there is an internal failure of this
// one call.
func (e *endpoint) run(ctx context.Context, name string, decode func(reflect.Value) error) (out any, err error) {
	op, ok := e.operations[name]
	if !ok {
		return nil, e.absent(name)
	}
	input := reflect.New(op.input)
	if err := decode(input.Elem()); err != nil {
		return nil, err
	}
	var v Violations
	v.enums(input, "")
	if err := v.Err(); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{operation: name, value: p, stack: debug.Stack()}
		}
	}()
	results := op.call.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	if err, _ := results[1].Interface().(error); err != nil {
		return nil, err
	}
	return results[0].Interface(), nil
}

func (e *endpoint) absent(name string) error {
	if slices.Contains(e.known, name) {
		return notImplemented("local AWS does not implement %s:%s", e.name, name)
	}
	return unknownOperation("%s has no operation %q", e.name, name)
}

func (c *call) succeed(w http.ResponseWriter, out any) error {
	body, contentType, err := c.protocol.output(c.operation, out, c.id)
	if err != nil {
		return err
	}
	c.send(w, http.StatusOK, contentType, body)
	return nil
}

// fail writes the error and returns its code.
func (c *call) fail(w http.ResponseWriter, err error) string {
	e := envelopeOf(err, c.protocol.query())
	body, contentType := c.protocol.failure(e, c.id)
	if !c.protocol.query() {
		w.Header().Set("X-Amzn-Errortype", e.code)
	}
	c.send(w, e.status, contentType, body)
	return e.code
}

func (c *call) send(w http.ResponseWriter, status int, contentType string, body []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Amzn-Requestid", c.id)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away needs no answer
}

// panicked is what is left of an operation that panicked.
type panicked struct {
	operation string
	value     any
	stack     []byte // for the log, not for the client
}

func (p *panicked) Error() string { return fmt.Sprintf("panic in %s: %v", p.operation, p.value) }
