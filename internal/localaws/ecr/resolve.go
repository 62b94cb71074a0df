package ecr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"
)

// ErrImageNotFound: the registry has no such repository, tag or digest. The error's text is the registry's own.
var ErrImageNotFound = errors.New("image not found")

// Resolved is an image with its digest fixed, and a way to pull it.
type Resolved struct {
	Ref                string // HOST:PORT/NAME@DIGEST
	Digest             string // of the manifest or index that the name stands for
	PlainHTTP          bool
	Username, Password string // good for an hour
}

var ecrHost = regexp.MustCompile(`^[0-9]{12}\.dkr[.-]ecr\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws)$`)

// Resolve finds what HOST/NAME[:TAG][@DIGEST] stands for now in the registry of region; no tag means latest. Every ECR
// host name, and the address of this registry, are that registry. ErrImageNotFound.
func (b *Backend) Resolve(_ context.Context, region, ref string) (Resolved, error) {
	host, name, tagName, digest, err := splitRef(ref)
	if err != nil {
		return Resolved{}, err
	}
	if !b.own(host) {
		return Resolved{}, fmt.Errorf("local AWS can pull from its own registry only, not from %s: push the image to %s/NAME and name it so", shownHost(host), b.host)
	}
	at := place{region: region, name: name}
	if _, err := b.find(at); err != nil {
		return Resolved{}, fmt.Errorf("%w: name unknown: %w (region %s)", ErrImageNotFound, err, region)
	}
	if digest != "" {
		tagName = "" // as everywhere, the digest wins
	}
	i, ok, err := b.lookup(at, tagName, digest)
	if err != nil {
		return Resolved{}, err
	}
	if !ok {
		return Resolved{}, fmt.Errorf("%w: manifest unknown: Requested image not found: %s (region %s)", ErrImageNotFound, ref, region)
	}
	return Resolved{
		Ref: at.uri(b.pull) + "@" + i.Digest, Digest: i.Digest, PlainHTTP: true, Username: tokenUser,
		Password: b.issue(token{Region: region, Expires: time.Now().Add(pullLife).Unix()}),
	}, nil
}

// splitRef takes an image reference apart; host is empty when it has none.
func splitRef(ref string) (host, name, tagName, digest string, err error) {
	rest, digest, hasDigest := strings.Cut(ref, "@")
	first, path, hasPath := strings.Cut(rest, "/")
	if hasPath && (strings.ContainsAny(first, ".:") || first == "localhost") {
		host, rest = first, path
	}
	name, tagName, hasTag := strings.Cut(rest, ":")
	if !hasTag && !hasDigest {
		tagName = "latest"
	}
	if name == "" || hasTag && !tagPattern.MatchString(tagName) || hasDigest && digest == "" {
		return "", "", "", "", fmt.Errorf("the image reference %q is not HOST/NAME[:TAG][@DIGEST]", ref)
	}
	return host, name, tagName, digest, nil
}

func shownHost(host string) string {
	if host == "" {
		return "docker.io (the image names no registry)"
	}
	return host
}

// own reports whether the host is this registry: by its address, by another name of the loopback interface, or by any
// name that ECR has.
func (b *Backend) own(host string) bool {
	return host == b.host || ecrHost.MatchString(host) || sameLoopback(host, b.host) || sameLoopback(host, b.pull)
}

// sameLoopback reports whether two HOST:PORT are one address of the loopback interface.
func sameLoopback(a, b string) bool {
	nameA, portA, errA := net.SplitHostPort(a)
	nameB, portB, errB := net.SplitHostPort(b)
	return errA == nil && errB == nil && portA == portB && loopback(nameA) && loopback(nameB)
}

func loopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}
