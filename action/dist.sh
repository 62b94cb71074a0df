#!/usr/bin/env bash
# Builds the release binaries of a version, the same bytes on every machine, with their checksums.
#
#   dist.sh VERSION             dist/action/, for the action, whose action.yml gets the version and the checksums
#   dist.sh VERSION REFERENCE   dist/program/, for people: init writes workflows that use the action REFERENCE, which is
#                               OWNER/REPO@SHA#VERSION of the commit that has the first form's action.yml
#
# DIST_PLATFORMS (OS/ARCH …) leaves platforms out; action.yml keeps no checksum of those.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?version} reference=${2:-}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || { echo "dist: version \"$version\": expected v1.2.3" >&2; exit 1; }
[[ -z $reference || $reference =~ ^[A-Za-z0-9-]+/[A-Za-z0-9._-]+@[0-9a-f]{40}#v[0-9A-Za-z.-]+$ ]] ||
	{ echo "dist: action \"$reference\": expected OWNER/REPO@SHA#VERSION" >&2; exit 1; }

dir=dist/action
test -z "$reference" || dir=dist/program
rm -rf "$dir"
mkdir -p "$dir"
cli=github.com/medusa-deploy/medusa-deploy/internal/cli
for platform in ${DIST_PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}; do
	echo "building medusa-deploy $version for $platform"
	# The commit is not stamped in: action.yml, which comes after, would change it.
	GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOFLAGS='' \
		go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X $cli.Version=$version -X $cli.Action=$reference" \
		-o "$dir/medusa-deploy-${platform/\//-}" ./cmd/medusa-deploy
done
(cd "$dir" && sha256sum medusa-deploy-* >SHA256SUMS)
test -z "$reference" || exit 0

edit=(-e "s|^\( *VERSION: \).*|\1$version|")
for platform in linux-amd64 linux-arm64 darwin-amd64 darwin-arm64; do
	sum=$(awk -v name="medusa-deploy-$platform" '$2 == name { print $1 }' "$dir/SHA256SUMS")
	name=$(echo "$platform" | tr 'a-z-' 'A-Z_')
	edit+=(-e "s|^\( *SHA256_$name: \).*|\1'$sum'|")
done
sed "${edit[@]}" action.yml >"$dir/action.yml"
cp "$dir/action.yml" action.yml
