package main

import (
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

func TestVerdict(t *testing.T) {
	answers := []string{"commit one\n", "commit two\n"}
	for name, tt := range map[string]struct {
		spoil func(*trial)
		want  string
	}{
		"nothing failed":           {func(*trial) {}, ""},
		"asked again":              {func(t *trial) { t.Sockets.Reconnects, t.Sockets.AskedAgain = 9, 9 }, ""},
		"a request failed":         {func(t *trial) { t.KeepAlive.Failed, t.KeepAlive.Failures = 1, []string{"502"} }, "keep-alive clients: 1 of 10 requests failed: 502"},
		"a new connection failed":  {func(t *trial) { t.Fresh.Failed = 2 }, "clients with new connections: 2 of 10 requests failed"},
		"no request":               {func(t *trial) { t.Fresh.Sent = 0 }, "0 of 0 requests failed"},
		"somebody else answered":   {func(t *trial) { t.Fresh.Bodies = append(t.Fresh.Bodies, "Apache") }, `answered by neither version: "Apache"`},
		"an echo was lost":         {func(t *trial) { t.Sockets.Lost = 1 }, "WebSockets: 1 of 10 echoes lost"},
		"a connection was broken":  {func(t *trial) { t.Sockets.Broken = 1 }, "1 connections broken"},
		"no echo was asked for":    {func(t *trial) { t.Sockets.Sent = 0 }, "0 of 0 echoes lost"},
		"all of it at the same go": {func(t *trial) { t.KeepAlive.Failed, t.Fresh.Failed, t.Sockets.Lost = 1, 1, 1 }, "WebSockets"},
	} {
		t.Run(name, func(t *testing.T) {
			trial := &trial{commits: [2]string{"one", "two"}}
			trial.KeepAlive = rehearsal.LoadReport{Sent: 10, Bodies: answers}
			trial.Fresh = rehearsal.LoadReport{Sent: 10, Bodies: answers}
			trial.Sockets.Sent = 10
			tt.spoil(trial)
			err := trial.verdict()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("verdict = %v, want %q", err, tt.want)
			}
		})
	}
}
