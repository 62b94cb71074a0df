package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// echoPatience is how long an echo may take before it counts as lost.
const echoPatience = 30 * time.Second

// Sockets keeps WebSocket connections open and asks for an echo on each of them, until it is stopped. A connection that
// the server closes in order, saying that it goes away (RFC 6455, status 1001), is opened anew, and an echo that was
// under way is asked for again: that is what such a close tells a client to do. Any other end is a failure.
type Sockets struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	report SocketsReport
}

// SocketsReport is what WebSocket clients saw.
type SocketsReport struct {
	Sent       int      // echoes asked for
	Lost       int      // echoes that never came, and not because the server said that it goes away
	Broken     int      // connections that did not come about, or ended out of order when no echo was under way
	AskedAgain int      // echoes that were under way when the server said that it goes away, and came on the next connection
	Reconnects int      // connections opened in place of one that the server closed in order
	Failures   []string // the first MostFailures
	Slowest    time.Duration
	P99        time.Duration
	times      []time.Duration
}

// StartSockets opens clients connections to url (http://…) and asks for an echo on each every so often.
func StartSockets(ctx context.Context, url string, clients int, every time.Duration) *Sockets {
	ctx, cancel := context.WithCancel(ctx)
	s := &Sockets{cancel: cancel}
	for i := range clients {
		s.done.Go(func() { s.client(ctx, url, i, newPace(every)) })
	}
	return s
}

// Stop closes the connections and tells what they saw.
func (s *Sockets) Stop() SocketsReport {
	s.cancel()
	s.done.Wait()
	r := s.report
	slices.Sort(r.times)
	if n := len(r.times); n > 0 {
		r.Slowest, r.P99 = r.times[n-1], Percentile(r.times, 99)
	}
	return r
}

// client asks for one echo after the other. Between two of them it hears when the server goes away.
func (s *Sockets) client(ctx context.Context, url string, number int, pace pace) {
	defer pace.stop()
	var conn *socket
	for n := 0; pace.next(ctx); n++ {
		conn = s.ask(ctx, url, conn, fmt.Sprintf("client %d, echo %d", number, n))
	}
	if conn != nil {
		conn.close()
	}
}

// ask has one message come back, on conn or on those that must be opened in its place, and gives the last one.
func (s *Sockets) ask(ctx context.Context, url string, conn *socket, message string) *socket {
	begin := time.Now()
	var told tell
	for {
		if conn == nil {
			fresh, err := dial(ctx, url)
			if err != nil {
				told.broken = fmt.Errorf("no connection: %w", err)
				s.note(ctx, begin, message, told)
				return nil
			}
			conn = fresh
		}
		sent, err := conn.echo(ctx, message)
		if err == nil {
			s.note(ctx, begin, message, told)
			return conn
		}
		conn.drop()
		conn = nil
		switch {
		case websocket.CloseStatus(err) == websocket.StatusGoingAway:
			told.again = told.again || sent
			told.reconnects++
		case sent:
			told.lost = err
			s.note(ctx, begin, message, told)
			return nil
		default:
			told.broken = err // it ended some time before: what is asked now can still be answered
		}
	}
}

// tell is what there is to tell of one echo.
type tell struct {
	again        bool
	reconnects   int
	lost, broken error
}

func (s *Sockets) note(ctx context.Context, begin time.Time, message string, t tell) {
	if ctx.Err() != nil {
		return // stopped in the middle: neither sent nor lost
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.report
	r.Sent++
	r.Reconnects += t.reconnects
	r.times = append(r.times, time.Since(begin))
	if t.again {
		r.AskedAgain++
	}
	if t.lost != nil {
		r.Lost++
	}
	if t.broken != nil {
		r.Broken++
	}
	if err := errors.Join(t.lost, t.broken); err != nil && len(r.Failures) < MostFailures {
		r.Failures = append(r.Failures, fmt.Sprintf("%s: %v", message, err))
	}
}

// socket is one client's connection, and what reads from it.
type socket struct {
	conn    *websocket.Conn
	answers chan string
	ended   chan struct{} // closed when nothing can be read any more
	err     error         // why; to be read once ended is closed
	cancel  context.CancelFunc
}

func dial(ctx context.Context, url string) (*socket, error) {
	opening, cancelOpening := context.WithTimeout(ctx, echoPatience)
	defer cancelOpening()
	conn, _, err := websocket.Dial(opening, strings.Replace(url, "http", "ws", 1), nil) //nolint:bodyclose // Dial's body need not be closed
	if err != nil {
		return nil, err
	}
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &socket{conn: conn, answers: make(chan string), ended: make(chan struct{}), cancel: cancel}
	go s.read(reading)
	return s, nil
}

func (s *socket) read(ctx context.Context) {
	defer close(s.ended)
	for {
		_, message, err := s.conn.Read(ctx)
		if err != nil {
			s.err = err
			return
		}
		select {
		case s.answers <- string(message):
		case <-ctx.Done():
			s.err = ctx.Err()
			return
		}
	}
}

// echo sends a message and waits for it to come back. It tells whether the message was sent.
func (s *socket) echo(ctx context.Context, message string) (sent bool, err error) {
	select {
	case <-s.ended:
		return false, s.err
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, echoPatience)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
		select { // why it could not be written is what the reader found
		case <-s.ended:
			err = errors.Join(s.err, err)
		case <-ctx.Done():
		}
		return true, err
	}
	select {
	case answer := <-s.answers:
		if answer != message {
			return true, fmt.Errorf("%q came back as %q", message, answer)
		}
		return true, nil
	case <-s.ended:
		return true, s.err
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// drop ends the connection at once.
func (s *socket) drop() {
	s.cancel()
	_ = s.conn.CloseNow() // it is of no use any more
	<-s.ended
}

// close ends the connection in order.
func (s *socket) close() {
	_ = s.conn.Close(websocket.StatusNormalClosure, "") // nobody waits for an answer
	s.drop()
}
