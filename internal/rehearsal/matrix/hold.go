package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

// Something that is taken away before a release begins is found by its check, and nothing is touched. What must be shown is
// what becomes of a release when it is taken away after the check: so the build is held meanwhile. The program that the
// config has run before the build is this one, with -hold.

// hold waits until whoever listens at address ends the connection.
func hold(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return fmt.Errorf("hold the build: %w", err)
	}
	defer conn.Close()
	_, err = io.Copy(io.Discard, conn)
	return err
}

// pause has the app's build wait for whoever closes the connection that listener accepts.
func (c *cell) pause(listener net.Listener) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	const line = "  platforms: [linux/amd64]\n"
	prepare := fmt.Sprintf("  prepare: {command: [%s, -hold, %s]}\n", strconv.Quote(self), strconv.Quote(listener.Addr().String()))
	return c.app.Edit("medusa-deploy.yaml", line, line+prepare)
}

// whileBuilding does something once the app's build has begun, and before it goes on. The returned function waits for its
// end; it is to be called when the release has ended.
func (c *cell) whileBuilding(ctx context.Context, do func(context.Context, *cell) error) (wait func() error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if err := c.pause(listener); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	done := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- fmt.Errorf("the build never began: %w", err)
			return
		}
		defer conn.Close()
		done <- do(ctx, c)
	}()
	return func() error {
		_ = listener.Close() // the connection has come, or does not come any more
		return <-done
	}, nil
}
