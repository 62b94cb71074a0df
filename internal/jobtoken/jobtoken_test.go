package jobtoken

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// answers are given one after the other; the last one stays.
type answers struct {
	list []answer
	got  []*http.Request
}

type answer struct {
	status int // 0: the connection breaks
	body   string
}

func (a *answers) Do(r *http.Request) (*http.Response, error) {
	a.got = append(a.got, r)
	one := a.list[min(len(a.got), len(a.list))-1]
	if one.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: one.status, Body: io.NopCloser(strings.NewReader(one.body))}, nil
}

func TestToken(t *testing.T) {
	good := answer{http.StatusOK, `{"count":1,"value":"a.b.c"}`}
	tests := map[string]struct {
		answers []answer
		url     string
		token   string
		asked   int
		refused bool
	}{
		"at once":            {answers: []answer{good}, token: "a.b.c", asked: 1},
		"after trouble":      {answers: []answer{{0, ""}, {http.StatusBadGateway, ""}, good}, token: "a.b.c", asked: 3},
		"trouble that lasts": {answers: []answer{{http.StatusServiceUnavailable, ""}}, asked: 3},
		"refused":            {answers: []answer{{http.StatusForbidden, ""}}, asked: 1, refused: true},
		"no token in it":     {answers: []answer{{http.StatusOK, `{}`}}, asked: 1},
		"no URL":             {answers: []answer{good}, url: "::", asked: 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{list: tt.answers}
				s := Source{URL: "https://token.example/x?api-version=2.0", Grant: "grant", HTTP: a}
				if tt.url != "" {
					s.URL = tt.url
				}
				token, err := s.Token(t.Context(), "who")
				if token != tt.token || (err == nil) != (tt.token != "") || errors.Is(err, ErrRefused) != tt.refused || len(a.got) != tt.asked {
					t.Errorf("token %q, error %v, asked %d times", token, err, len(a.got))
				}
				if err != nil && (strings.Contains(err.Error(), "grant") || strings.Contains(err.Error(), "a.b.c")) {
					t.Errorf("an error shows a secret: %v", err)
				}
				for _, r := range a.got {
					if r.URL.Query().Get("audience") != "who" || r.URL.Query().Get("api-version") != "2.0" || r.Header.Get("Authorization") != "Bearer grant" {
						t.Errorf("asked %s with %v", r.URL, r.Header)
					}
				}
			})
		})
	}
}

func TestTokenIsGivenUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), firstPause/2)
		defer cancel()
		begin := time.Now()
		_, err := Source{URL: "https://token.example", Grant: "g", HTTP: &answers{list: []answer{{http.StatusBadGateway, ""}}}}.Token(ctx, "who")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > firstPause {
			t.Errorf("error %v after %s", err, time.Since(begin))
		}
	})
}

func TestAvailable(t *testing.T) {
	if (Source{URL: "x"}).Available() || (Source{Grant: "x"}).Available() || !(Source{URL: "x", Grant: "y"}).Available() {
		t.Error("both variables are needed")
	}
}
