package ecr

import (
	"errors"
	"testing"
	"time"
)

func TestTokenExpires(t *testing.T) {
	b := &Backend{key: []byte("key")}
	now := time.Now()
	password := b.issue(token{Region: "us-east-1", Expires: now.Add(tokenLife).Unix()})
	if got, err := b.redeem(password, now); err != nil || got.Region != "us-east-1" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := b.redeem(password, now.Add(tokenLife+time.Second)); !errors.Is(err, errExpiredToken) {
		t.Errorf("after 12 hours: %v", err)
	}
	if _, err := (&Backend{key: []byte("other")}).redeem(password, now); !errors.Is(err, errBadToken) {
		t.Errorf("another registry: %v", err)
	}
}

func FuzzRedeem(f *testing.F) {
	b := &Backend{key: []byte("key")}
	f.Add(b.issue(token{Region: "r", Expires: 1}))
	f.Add("..")
	f.Fuzz(func(t *testing.T, password string) {
		if _, err := b.redeem(password, time.Unix(2, 0)); err == nil {
			t.Errorf("%q passes", password)
		}
	})
}
