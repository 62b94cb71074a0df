package build

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestTroubleOf(t *testing.T) {
	for _, c := range []struct {
		cause error
		want  trouble
	}{
		{errors.New("unexpected status from HEAD request to http://h/v2/a/blobs/sha256:1: 403 Forbidden"), troubleRefused},
		{errors.New("failed to authorize: unexpected status: 401 Unauthorized"), troubleRefused},
		{errors.New("failed to push h/a: denied: Your authorization token has expired. Reauthenticate and try again."), troubleRefused},
		{errors.New("denied: The repository with name 'a' in registry with id '1' already has the maximum allowed number of images which is '20000'"), troubleLasting},
		{errors.New("name unknown: The repository with name 'a' does not exist in the registry with id '1'"), troubleLasting},
		{errors.New("unexpected status from POST request to http://h/v2/a/blobs/uploads/: 503 Service Unavailable"), troublePassing},
		{errors.New("unexpected status: 429 Too Many Requests"), troublePassing},
		{errors.New("failed to copy: write tcp 127.0.0.1:1->127.0.0.1:2: write: broken pipe"), troublePassing},
		{errors.New(`Put "http://h/v2/": read: connection reset by peer`), troublePassing},
		{errors.New(`Put "http://h/v2/": unexpected EOF`), troublePassing},
		{fmt.Errorf("Put: %w", net.ErrClosed), troublePassing},
		{&transport.Error{StatusCode: 500}, troublePassing},
		{&transport.Error{StatusCode: 429}, troublePassing},
		{&transport.Error{StatusCode: 403}, troubleRefused},
		{&transport.Error{StatusCode: 400, Errors: []transport.Diagnostic{{Code: "TAG_INVALID"}}}, troubleLasting},
		{errors.New("http: server gave HTTP response to HTTPS client"), troubleLasting},
		{errors.New("unexpected status: 404 Not Found"), troubleLasting},
	} {
		if got := troubleOf(c.cause); got != c.want {
			t.Errorf("%v: %d, want %d", c.cause, got, c.want)
		}
	}
}

func TestPersist(t *testing.T) {
	refused, passing, lasting := &pushError{troubleRefused, errors.New("refused\n  the cure")}, &pushError{troublePassing, errors.New("503\n  the cure")}, &pushError{troubleLasting, errors.New("immutable")}
	times := func(err error, n int) []error {
		var all []error
		for range n {
			all = append(all, err)
		}
		return all
	}
	cases := map[string]struct {
		answers  []error // of the pushes in turn; then they succeed
		renew    bool
		want     error
		pushes   int
		password string // of the last push
	}{
		"good at once":                   {want: nil, pushes: 1, password: "1"},
		"passes":                         {answers: times(passing, 7), pushes: 8, password: "1"},
		"does not pass":                  {answers: times(passing, 8), want: passing, pushes: 8, password: "1"},
		"lasting":                        {answers: []error{lasting}, want: lasting, pushes: 1, password: "1"},
		"expired":                        {answers: []error{refused}, renew: true, pushes: 2, password: "11"},
		"refused whatever it is":         {answers: times(refused, 4), renew: true, want: refused, pushes: 4, password: "1111"},
		"refused and nobody renews":      {answers: []error{refused}, want: refused, pushes: 1, password: "1"},
		"a failed build is not repeated": {answers: []error{errBuild}, want: errBuild, pushes: 1, password: "1"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &BuildKit{}
				if c.renew {
					issued := 1
					b.config.Renew = func(_ context.Context, host string) (release.Credentials, error) {
						issued++
						return release.Credentials{Host: host, Password: strings.Repeat("1", issued)}, nil
					}
				}
				pushes, last, notices := 0, "", 0
				err := b.persist(t.Context(), release.Credentials{Host: "h:1", Password: "1"}, func(e release.Event) {
					notices++
					if n := e.(release.Notice); strings.Contains(n.Text, "cure") {
						t.Errorf("notice %+v", n)
					}
				}, func(auth release.Credentials) error {
					pushes++
					last = auth.Password
					if pushes <= len(c.answers) {
						return c.answers[pushes-1]
					}
					return nil
				})
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || pushes != c.pushes || last != c.password || notices != pushes-1 {
					t.Errorf("%v after %d pushes, the last with %q, %d notices", err, pushes, last, notices)
				}
			})
		})
	}
}

var errBuild = errors.New("the build failed")

func TestPersistEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		begin := time.Now()
		err := (&BuildKit{}).persist(ctx, release.Credentials{}, func(release.Event) {}, func(release.Credentials) error {
			return &pushError{troublePassing, errors.New("503")}
		})
		if !errors.Is(err, why) || time.Since(begin) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}

func TestPersistSaysThatThereAreNoNewCredentials(t *testing.T) {
	denied := errors.New("AWS denies ecr:GetAuthorizationToken")
	b := &BuildKit{config: Config{Renew: func(context.Context, string) (release.Credentials, error) { return release.Credentials{}, denied }}}
	refused := &pushError{troubleRefused, errors.New("refused")}
	err := b.persist(t.Context(), release.Credentials{}, func(release.Event) {}, func(release.Credentials) error { return refused })
	if !errors.Is(err, denied) || !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}

// A registry on this machine is asked over TLS first, and answers with what a client that expects TLS does not understand.
// When the second question, without, is cut off, that is what failed.
func TestCutQuestionIsAskedAgain(t *testing.T) {
	cause := errors.New(`Get "https://127.0.0.1:1/v2/": http: server gave HTTP response to HTTPS client; Get "http://127.0.0.1:1/v2/": read: connection reset by peer`)
	var failed *pushError
	if err := explainPush("127.0.0.1:1", "127.0.0.1:1/app", release.Credentials{}, cause); !errors.As(err, &failed) || failed.trouble != troublePassing {
		t.Errorf("%v is for good", err)
	}
}
