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

// Traffic says what a load sends.
type Traffic struct {
	URL       string
	KeepAlive int           // clients that send every request on one connection
	Fresh     int           // clients that open a connection for every request
	Every     time.Duration // from the begin of one client's request to that of its next; 0: without a pause
}

// Load sends requests until it is stopped.
type Load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	began  time.Time
	mu     sync.Mutex
	report LoadReport
}

// LoadReport is what a load saw.
type LoadReport struct {
	Sent, Failed int
	Failures     []string // the first MostFailures
	Slowest      time.Duration
	P99          time.Duration
	Bodies       []string // the different answers, in the order of their first appearance
	times        []time.Duration
}

// MostFailures is how many failures a report describes.
const MostFailures = 20

// StartLoad keeps clients (at least one) requesting url without a pause, each on a keep-alive connection of its own.
func StartLoad(ctx context.Context, url string, clients int) *Load {
	return StartTraffic(ctx, Traffic{URL: url, KeepAlive: max(1, clients)})
}

// StartTraffic starts the clients of a traffic.
func StartTraffic(ctx context.Context, t Traffic) *Load {
	ctx, cancel := context.WithCancel(ctx)
	l := &Load{cancel: cancel, began: time.Now()}
	for i := range t.KeepAlive + t.Fresh {
		transport := &http.Transport{MaxIdleConnsPerHost: 1, DisableKeepAlives: i >= t.KeepAlive}
		l.done.Go(func() { l.client(ctx, t, transport) })
	}
	return l
}

func (l *Load) client(ctx context.Context, t Traffic, transport *http.Transport) {
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	pace := newPace(t.Every)
	defer pace.stop()
	for pace.next(ctx) {
		l.one(ctx, client, t.URL)
	}
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
		if len(r.Failures) < MostFailures {
			r.Failures = append(r.Failures, fmt.Sprintf("after %s: %v", begin.Sub(l.began).Round(time.Millisecond), err))
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
		r.Slowest, r.P99 = r.times[n-1], Percentile(r.times, 99)
	}
	return r
}

// Percentile is the smallest of the sorted durations that p in a hundred do not exceed; 0 of none.
// https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method
func Percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// pace is the time between two things that one client does.
type pace struct{ ticker *time.Ticker }

// newPace makes a pace of one thing every so often; without a pause when every is 0.
func newPace(every time.Duration) pace {
	if every <= 0 {
		return pace{}
	}
	return pace{time.NewTicker(every)}
}

// next waits until it is time for the next thing; false when ctx has ended.
func (p pace) next(ctx context.Context) bool {
	if p.ticker == nil {
		return ctx.Err() == nil
	}
	select {
	case <-ctx.Done():
		return false
	case <-p.ticker.C:
		return true
	}
}

func (p pace) stop() {
	if p.ticker != nil {
		p.ticker.Stop()
	}
}
