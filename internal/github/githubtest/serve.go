package githubtest

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
)

// Transport reaches the server without a network, so that it works within a testing/synctest bubble.
func (s *Server) Transport() http.RoundTripper {
	return roundTripper(func(r *http.Request) (answer *http.Response, err error) {
		handler := http.Handler(s)
		if strings.HasPrefix(r.URL.Scheme+"://"+r.URL.Host, s.storage) {
			handler = s.Storage()
		}
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		if r.Body == nil {
			r.Body = http.NoBody
		}
		defer func() {
			if recover() != nil {
				answer, err = nil, io.ErrUnexpectedEOF
			}
		}()
		record := httptest.NewRecorder()
		handler.ServeHTTP(record, r)
		return record.Result(), nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Started is a server that other programs reach over TLS.
type Started struct {
	Host        string // HOST:PORT of the API, for GH_HOST
	Certificate string // file, for SSL_CERT_FILE
	api         *httptest.Server
	storage     *httptest.Server
}

// Start serves over TLS, the storage host on another port. dir takes the certificate.
func (s *Server) Start(dir string) (*Started, error) {
	quiet := log.New(io.Discard, "", 0) // a client that does not trust the certificate is the client's business
	started := &Started{api: httptest.NewUnstartedServer(s), storage: httptest.NewUnstartedServer(s.Storage())}
	for _, server := range []*httptest.Server{started.api, started.storage} {
		server.Config.ErrorLog = quiet
		server.StartTLS()
	}
	s.storage = started.storage.URL
	started.Host = strings.TrimPrefix(started.api.URL, "https://")
	started.Certificate = filepath.Join(dir, "certificate.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: started.api.Certificate().Raw})
	return started, os.WriteFile(started.Certificate, block, 0o600)
}

// Close ends it.
func (s *Started) Close() {
	s.api.Close()
	s.storage.Close()
}
