package provenance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-openapi/runtime"
	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	prototrust "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"

	"github.com/medusa-deploy/medusa-deploy/internal/jobtoken"
)

const (
	actionsIssuer = "https://token.actions.githubusercontent.com"
	workflow      = "https://github.com/acme/shop/.github/workflows/deploy.yml@refs/heads/main"
)

// sigstore is a Sigstore instance on this machine: a certificate authority that speaks Fulcio's API and logs its
// certificates, and a transparency log that speaks Rekor's. The identity provider is GitHub Actions' endpoint.
type sigstore struct {
	server *httptest.Server
	log    *ca.VirtualSigstore
	issuer *ecdsa.PrivateKey // of identity tokens
	ctlog  *ecdsa.PrivateKey
	root   *x509.Certificate
	key    *ecdsa.PrivateKey
	life   time.Duration // of certificates

	mu      sync.Mutex
	said    map[string]any // claims of tokens
	issued  int            // certificates
	entries int
	refuse  int  // HTTP status that the authority answers; 0: it works
	noSCT   bool // certificates are not logged
}

func newSigstore(t *testing.T) *sigstore {
	t.Helper()
	s := &sigstore{life: 10 * time.Minute, said: map[string]any{"iss": actionsIssuer, "aud": "sigstore", "sub": "repo:acme/shop:ref:refs/heads/main",
		"job_workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main"}}
	var err error
	if s.log, err = ca.NewVirtualSigstore(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []**ecdsa.PrivateKey{&s.issuer, &s.ctlog, &s.key} {
		if *key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority", Organization: []string{"test"}}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key)
	if err != nil {
		t.Fatal(err)
	}
	if s.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /token", s.serveToken)
	mux.HandleFunc("POST /api/v2/signingCert", s.serveCertificate)
	mux.HandleFunc("POST /api/v1/log/entries", s.serveEntry)
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	return s
}

// instance writes the two files that describe the instance.
func (s *sigstore) instance(t *testing.T) *Instance {
	t.Helper()
	dir := t.TempDir()
	i := &Instance{SigningConfig: filepath.Join(dir, "signing_config.json"), TrustedRoot: filepath.Join(dir, "trusted_root.json")}
	service := []root.Service{{URL: s.server.URL, MajorAPIVersion: 1, ValidityPeriodStart: time.Now().Add(-time.Hour), Operator: "test"}}
	any := root.ServiceConfiguration{Selector: prototrust.ServiceSelector_ANY}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02, service, nil, service, any, nil, any)
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{Root: s.root, ValidityPeriodStart: time.Now().Add(-time.Hour), URI: s.server.URL}},
		s.logs(t, s.ctlog.Public()), nil, s.logs(t, s.logKey()))
	if err != nil {
		t.Fatal(err)
	}
	for path, described := range map[string]json.Marshaler{i.SigningConfig: config, i.TrustedRoot: trusted} {
		raw, err := described.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// logKey is the transparency log's public key.
func (s *sigstore) logKey() crypto.PublicKey {
	for _, l := range s.log.RekorLogs() {
		return l.PublicKey
	}
	return nil
}

func (s *sigstore) logs(t *testing.T, key crypto.PublicKey) map[string]*root.TransparencyLog {
	t.Helper()
	id := logID(t, key)
	return map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: s.server.URL, ID: id, ValidityPeriodStart: time.Now().Add(-time.Hour), HashFunc: crypto.SHA256, PublicKey: key, SignatureHashFunc: crypto.SHA256,
	}}
}

func logID(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return sum[:]
}

// environment is what GitHub Actions sets for a job that may ask for tokens.
func (s *sigstore) environment() LookupEnv {
	return environment("GITHUB_ACTIONS", "true", jobtoken.URLVariable, s.server.URL+"/token?api-version=2", jobtoken.GrantVariable, "canary-request-token")
}

// serveToken is GitHub Actions' token endpoint.
func (s *sigstore) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer canary-request-token" || r.URL.Query().Get("audience") != "sigstore" || r.URL.Query().Get("api-version") != "2" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said["exp"] = time.Now().Add(5 * time.Minute).Unix()
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(mustJSON(v)) }
	signed := part(map[string]string{"alg": "ES256", "typ": "JWT"}) + "." + part(s.said)
	sum := sha256.Sum256([]byte(signed))
	signature, err := ecdsa.SignASN1(rand.Reader, s.issuer, sum[:])
	if err != nil {
		panic(err)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"count": 1, "value": signed + "." + base64.RawURLEncoding.EncodeToString(signature)})
}

// serveCertificate is Fulcio's API.
// https://github.com/sigstore/fulcio/blob/main/fulcio.proto
func (s *sigstore) serveCertificate(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fail := func(status, code int, message string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message, "details": []any{}})
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	claims, ok := s.claims(token)
	if !ok || s.refuse != 0 {
		fail(max(s.refuse, http.StatusUnauthorized), 16, "There was an error processing the identity token "+token)
		return
	}
	var in struct {
		PublicKeyRequest struct {
			PublicKey         struct{ Algorithm, Content string }
			ProofOfPossession []byte
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		fail(http.StatusBadRequest, 3, "invalid request")
		return
	}
	block, _ := pem.Decode([]byte(in.PublicKeyRequest.PublicKey.Content))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		fail(http.StatusBadRequest, 3, "The public key supplied in the request could not be parsed")
		return
	}
	sum := sha256.Sum256([]byte(claims["sub"].(string)))
	if !ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum[:], in.PublicKeyRequest.ProofOfPossession) {
		fail(http.StatusBadRequest, 3, "The signature supplied in the request could not be verified")
		return
	}
	s.issued++
	chain := []string{encodeCertificate(s.certify(key, claims)), encodeCertificate(s.root.Raw)}
	_ = json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{"certificates": chain}}})
}

func encodeCertificate(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// claims verifies a token as an identity provider's keys allow.
func (s *sigstore) claims(token string) (map[string]any, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.VerifyASN1(&s.issuer.PublicKey, sum[:], signature) {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var claims map[string]any
	err = json.Unmarshal(raw, &claims)
	return claims, err == nil && claims["aud"] == "sigstore"
}

// oidIssuer is where Fulcio writes who said whom a certificate names.
// https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
var (
	oidIssuer = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}
	oidSCTs   = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
)

// certify makes a certificate with the proof that it was logged.
func (s *sigstore) certify(key crypto.PublicKey, claims map[string]any) []byte {
	issuer, err := asn1.MarshalWithParams(claims["iss"], "utf8")
	if err != nil {
		panic(err)
	}
	name, err := url.Parse("https://github.com/" + claims["job_workflow_ref"].(string))
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(s.issued) + 1), NotBefore: time.Now().Add(-10 * time.Minute), NotAfter: time.Now().Add(s.life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, URIs: []*url.URL{name},
		ExtraExtensions: []pkix.Extension{{Id: oidIssuer, Value: issuer}},
	}
	create := func() []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, s.root, key, s.key)
		if err != nil {
			panic(err)
		}
		return der
	}
	unlogged := create()
	if s.noSCT {
		return unlogged
	}
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: oidSCTs, Value: s.logCertificate(unlogged)})
	return create()
}

// logCertificate is a certificate transparency log: it promises to include the certificate.
// https://www.rfc-editor.org/rfc/rfc6962#section-3.2
func (s *sigstore) logCertificate(der []byte) []byte {
	parsed, err := ctx509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	id, err := x509.MarshalPKIXPublicKey(s.ctlog.Public())
	if err != nil {
		panic(err)
	}
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, LogID: ct.LogID{KeyID: sha256.Sum256(id)}, Timestamp: uint64(time.Now().UnixMilli())}
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: ct.MerkleTreeLeaf{
		Version: ct.V1, LeafType: ct.TimestampedEntryLeafType,
		TimestampedEntry: &ct.TimestampedEntry{
			Timestamp: sct.Timestamp, EntryType: ct.PrecertLogEntryType,
			PrecertEntry: &ct.PreCert{IssuerKeyHash: sha256.Sum256(s.root.RawSubjectPublicKeyInfo), TBSCertificate: parsed.RawTBSCertificate},
		},
	}})
	if err != nil {
		panic(err)
	}
	signature, err := tls.CreateSignature(*s.ctlog, tls.SHA256, input)
	if err != nil {
		panic(err)
	}
	sct.Signature = ct.DigitallySigned(signature)
	list, err := x509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&sct})
	if err != nil {
		panic(err)
	}
	raw, err := tls.Marshal(*list)
	if err != nil {
		panic(err)
	}
	value, err := asn1.Marshal(raw)
	if err != nil {
		panic(err)
	}
	return value
}

// serveEntry is Rekor's API: it checks an entry as Rekor does, logs it, and proves that it did.
// https://github.com/sigstore/rekor/blob/main/openapi.yaml
func (s *sigstore) serveEntry(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	body, err := canonical(r, raw)
	if err != nil {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": http.StatusBadRequest, "message": err.Error()})
		return
	}
	id, err := s.log.RekorLogID()
	if err != nil {
		panic(err)
	}
	proof, err := s.log.GetInclusionProof(body)
	if err != nil {
		panic(err)
	}
	payload := tlog.RekorPayload{Body: base64.StdEncoding.EncodeToString(body), IntegratedTime: time.Now().Unix(), LogIndex: *proof.LogIndex, LogID: id}
	promise, err := s.log.RekorSignPayload(payload)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	s.entries++
	s.mu.Unlock()
	uuid := fmt.Sprintf("%064x", sha256.Sum256(append([]byte{0}, body...)))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", uuid)
	w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{uuid: map[string]any{
		"body": payload.Body, "integratedTime": payload.IntegratedTime, "logID": id, "logIndex": payload.LogIndex,
		"verification": map[string]any{"inclusionProof": proof, "signedEntryTimestamp": promise},
	}})
}

func canonical(r *http.Request, raw []byte) ([]byte, error) {
	proposed, err := models.UnmarshalProposedEntry(strings.NewReader(string(raw)), runtime.JSONConsumer())
	if err != nil {
		return nil, err
	}
	entry, err := types.CreateVersionedEntry(proposed)
	if err != nil {
		return nil, err
	}
	return types.CanonicalizeEntry(r.Context(), entry)
}
