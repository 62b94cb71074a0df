package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// oracle answers with the keys in upper case, after a while, and remembers what it was asked.
type oracle struct {
	mu      sync.Mutex
	took    time.Duration
	asked   [][]string
	abreast int // calls under way
	most    int // the most there ever were
	spoil   string
}

var errSpoilt = errors.New("spoilt")

func (o *oracle) ask(ctx context.Context, keys []string) (map[string]string, error) {
	o.mu.Lock()
	o.asked = append(o.asked, slices.Sorted(slices.Values(keys)))
	o.abreast++
	o.most = max(o.most, o.abreast)
	o.mu.Unlock()
	err := pause(ctx, o.took)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.abreast--
	if err != nil {
		return nil, fmt.Errorf("broken off: %w", err)
	}
	if slices.Contains(keys, o.spoil) {
		return nil, errSpoilt
	}
	values := map[string]string{}
	for _, k := range keys {
		if k != "nobody" {
			values[k] = strings.ToUpper(k)
		}
	}
	return values, nil
}

// inBubble runs a test with a batcher of three keys a call and two calls at once.
func inBubble(t *testing.T, test func(t *testing.T, o *oracle, b *batcher[string, string])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &oracle{took: time.Second}
		test(t, o, &batcher[string, string]{most: 3, abreast: 2, ask: o.ask})
	})
}

// all asks for all keys at once and checks the answers.
func all(t *testing.T, b *batcher[string, string], keys ...string) {
	t.Helper()
	var asking sync.WaitGroup
	for _, k := range keys {
		asking.Go(func() {
			got, found, err := b.get(t.Context(), k)
			if err != nil || found != (k != "nobody") || found && got != strings.ToUpper(k) {
				t.Errorf("%s: %q, %t, %v", k, got, found, err)
			}
		})
	}
	asking.Wait()
}

func TestQuestionsThatComeTogetherAreOneCall(t *testing.T) {
	inBubble(t, func(t *testing.T, o *oracle, b *batcher[string, string]) {
		all(t, b, "a", "a", "nobody", "a")
		if len(o.asked) != 1 || strings.Join(o.asked[0], " ") != "a nobody" {
			t.Errorf("asked %v", o.asked)
		}
	})
}

func TestOneQuestionWaitsForNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, o *oracle, b *batcher[string, string]) {
		begin := time.Now()
		all(t, b, "a")
		if took := time.Since(begin); took != o.took+gatherFor {
			t.Errorf("it took %s", took)
		}
	})
}

// TestWhatComesWhileCallsAreUnderWayIsGathered: ten at once are 3+3, then 3+1, never more than two calls at a time.
func TestWhatComesWhileCallsAreUnderWayIsGathered(t *testing.T) {
	inBubble(t, func(t *testing.T, o *oracle, b *batcher[string, string]) {
		begin := time.Now()
		all(t, b, "a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
		if o.most != 2 || len(o.asked) != 4 {
			t.Errorf("at most %d at once; asked %v", o.most, o.asked)
		}
		if took := time.Since(begin).Round(10 * time.Millisecond); took != 2*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestAnAnswerIsNeverOlderThanItsQuestion: a call under way is not joined.
func TestAnAnswerIsNeverOlderThanItsQuestion(t *testing.T) {
	inBubble(t, func(t *testing.T, o *oracle, b *batcher[string, string]) {
		var asking sync.WaitGroup
		asking.Go(func() { all(t, b, "a") })
		time.Sleep(o.took / 2)
		all(t, b, "a")
		asking.Wait()
		if len(o.asked) != 2 {
			t.Errorf("asked %v", o.asked)
		}
	})
}

func TestACallerThatLeavesHarmsNobody(t *testing.T) {
	for name, leaveAfter := range map[string]time.Duration{"before the call": gatherFor / 2, "during the call": 500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, o *oracle, b *batcher[string, string]) {
				why := errors.New("lost interest")
				b.most = 4 // so that three do not start the call
				leaving, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(leaveAfter, func() { cancel(why) })
				var asking sync.WaitGroup
				for _, k := range []string{"a", "b", "b"} { // one key that another wants too, and one that nobody else does, twice
					asking.Go(func() {
						begin := time.Now()
						if _, _, err := b.get(leaving, k); !errors.Is(err, why) || time.Since(begin) != leaveAfter {
							t.Errorf("%s: %v after %s", k, err, time.Since(begin))
						}
					})
				}
				asking.Go(func() { all(t, b, "a") })
				asking.Wait()
				if len(o.asked) != 1 {
					t.Errorf("asked %v", o.asked)
				}
			})
		})
	}
}

// TestTheLastCallerEndsTheCall, and hears what the call has to say.
func TestTheLastCallerEndsTheCall(t *testing.T) {
	inBubble(t, func(t *testing.T, o *oracle, b *batcher[string, string]) {
		why := errors.New("the rollout timed out")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, why)
		defer cancel()
		begin := time.Now()
		_, _, err := b.get(ctx, "a")
		if !errors.Is(err, why) || !strings.Contains(err.Error(), "broken off") || time.Since(begin) != 500*time.Millisecond {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
		synctest.Wait()
		if o.abreast != 0 {
			t.Error("the call goes on")
		}
		if _, _, err := b.get(ctx, "a"); !errors.Is(err, why) || len(o.asked) != 1 {
			t.Errorf("a caller that has ended already: %v, asked %v", err, o.asked)
		}
	})
}

// TestACallHasTheTimeOfItsMostPatientCaller: what has no deadline at all is not given one.
func TestACallHasTheTimeOfItsMostPatientCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deadlines []time.Duration
		b := &batcher[string, string]{most: 3, abreast: 2, ask: func(ctx context.Context, _ []string) (map[string]string, error) {
			deadline, bounded := ctx.Deadline()
			if !bounded {
				deadline = time.Now()
			}
			deadlines = append(deadlines, time.Until(deadline).Round(time.Second))
			return nil, nil
		}}
		ask := func(patience ...time.Duration) {
			var asking sync.WaitGroup
			for i, p := range patience {
				ctx, cancel := t.Context(), func() {}
				if p > 0 {
					ctx, cancel = context.WithTimeout(ctx, p)
				}
				asking.Go(func() { b.get(ctx, fmt.Sprint(i)) })
				defer cancel()
			}
			asking.Wait()
		}
		ask(time.Minute, time.Hour, time.Second)
		ask(time.Minute, 0)
		if !slices.Equal(deadlines, []time.Duration{time.Hour + time.Second, 0}) {
			t.Errorf("got %v", deadlines)
		}
	})
}

func TestAKeyThatSpoilsACallIsToldFromTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, o *oracle, b *batcher[string, string]) {
		o.spoil = "x"
		var asking sync.WaitGroup
		asking.Go(func() {
			if _, _, err := b.get(t.Context(), "x"); !errors.Is(err, errSpoilt) {
				t.Errorf("x: %v", err)
			}
		})
		asking.Go(func() { all(t, b, "a", "b") })
		asking.Wait()
	})
}
