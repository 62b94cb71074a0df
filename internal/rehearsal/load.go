package rehearsal

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Load sends requests without a pause until it is stopped.
type Load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	report LoadReport
}

// LoadReport is what a load saw.
type LoadReport struct {
	Sent, Failed int
	Failures     []string // the first few, for people
	Slowest      time.Duration
	P99          time.Duration
	Bodies       []string // the different answers, in the order of their first appearance
	times        []time.Duration
}

// StartLoad keeps clients (at least one) requesting url, each on a keep-alive connection of its own.
func StartLoad(ctx context.Context, url string, clients int) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{cancel: cancel}
	for range max(1, clients) {
		l.done.Go(func() {
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				l.one(ctx, client, url)
			}
		})
	}
	return l
}

func (l *Load) one(ctx context.Context, client *http.Client, url string) {
	begin := time.Now()
	body, err := Get(ctx, client, url)
	if ctx.Err() != nil {
		return // stopped in the middle: neither sent nor failed
	}
	took := time.Since(begin)
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.report
	r.Sent++
	r.times = append(r.times, took)
	if err != nil {
		r.Failed++
		if len(r.Failures) < 5 {
			r.Failures = append(r.Failures, err.Error())
		}
		return
	}
	if !slices.Contains(r.Bodies, body) {
		r.Bodies = append(r.Bodies, body)
	}
}

// Get fetches a page; a status other than 200 is an error.
func Get(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return string(body), nil
}

// Stop ends the load and tells what it saw.
func (l *Load) Stop() LoadReport {
	l.cancel()
	l.done.Wait()
	r := l.report
	slices.Sort(r.times)
	if n := len(r.times); n > 0 {
		r.Slowest, r.P99 = r.times[n-1], r.times[n*99/100]
	}
	return r
}
