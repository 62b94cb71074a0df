package ecs

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"math/big"
)

// The ids look as ECS's own do: a deployment is ecs-svc/<19 digits>, a task 32 hex digits, a service deployment 21
// url-safe characters, a service revision a decimal number.

func newTaskID() string { return hex.EncodeToString(randomBytes(16)) }

func newDeploymentID() string { return "ecs-svc/" + digits(19) }

func newServiceDeploymentID() string {
	return base64.RawURLEncoding.EncodeToString(randomBytes(16))[:21]
}

func newRevisionID() string { return digits(19) }

func newUUID() string {
	b := hex.EncodeToString(randomBytes(16))
	return b[:8] + "-" + b[8:12] + "-" + b[12:16] + "-" + b[16:20] + "-" + b[20:]
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // it never fails: crypto/rand ends the program instead
	return b
}

// digits gives a decimal number of n digits that does not start with 0.
func digits(n int) string {
	low := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n-1)), nil)
	span := new(big.Int).Mul(low, big.NewInt(9))
	r := new(big.Int).SetBytes(randomBytes(16))
	return r.Mod(r, span).Add(r, low).String()
}
