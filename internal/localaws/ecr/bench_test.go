package ecr_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"
)

// BenchmarkRetag moves a tag over /v2/: GET the manifest, PUT it under the other name.
func BenchmarkRetag(b *testing.B) {
	w := newWorld(b)
	w.create("app")
	w.pushImage("app", "v1", "one")
	w.pushImage("app", "v2", "two")
	password := w.password()
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		got := w.want(200, w.do("GET", fmt.Sprintf("/v2/app/manifests/v%d", 1+i%2), password, ""))
		w.want(201, w.do("PUT", "/v2/app/manifests/latest", password, got.body, "Content-Type", ociManifest))
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkPushAndPullLayer moves 64 MiB in and out, each time under another digest.
func BenchmarkPushAndPullLayer(b *testing.B) {
	w := newWorld(b)
	w.create("app")
	password := w.password()
	content := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	b.SetBytes(2 * int64(len(content)))
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		copy(content, fmt.Sprintf("%016d", i))
		digest := digestOf(string(content))
		b.StartTimer()
		w.want(http.StatusCreated, w.do("POST", "/v2/app/blobs/uploads/?digest="+digest, password, string(content)))
		r, err := http.NewRequestWithContext(b.Context(), "GET", w.server.URL+"/v2/app/blobs/"+digest, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.SetBasicAuth("AWS", password)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, response.Body); err != nil || n != int64(len(content)) {
			b.Fatalf("read %d bytes, %v", n, err)
		}
		_ = response.Body.Close()
	}
}
