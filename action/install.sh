#!/usr/bin/env bash
# Finds the program that the action runs, or fetches the release whose checksum action.yml carries. Reads the environment
# alone, and writes path=… to $GITHUB_OUTPUT.
#
#   BINARY              a program to use as it is (input binary, or MEDUSA_DEPLOY_BIN)
#   EXPECTED            SHA-256 that BINARY must have; empty: whoever named it answers for it
#   MIRROR              where to download from in place of RELEASES
#   VERSION, RELEASES   the release and where it lies; SHA256_OS_ARCH its checksums
set -euo pipefail

# fail ends the job with an annotation. Nothing in its text is taken for a command of the runner.
fail() {
	local text=${1//'%'/%25}
	text=${text//$'\r'/%0D}
	printf '::error::%s\n' "${text//$'\n'/%0A}"
	exit 1
}

checksum() {
	if command -v sha256sum >/dev/null; then
		sha256sum <"$1" | cut -d ' ' -f 1
	else
		shasum -a 256 <"$1" | cut -d ' ' -f 1
	fi
}

use() {
	case "$1" in *$'\n'*) fail "the program's path has a line break" ;; esac
	printf 'path=%s\n' "$1" >>"$GITHUB_OUTPUT"
	printf 'medusa-deploy: %s (%s)\n' "$1" "$2"
	exit 0
}

binary=${BINARY:-${MEDUSA_DEPLOY_BIN:-}}
if test -n "$binary"; then
	case "$binary" in /*) ;; *) binary=$PWD/$binary ;; esac
	if ! test -f "$binary" || ! test -x "$binary"; then
		fail "binary $binary is not a program: no such file, or it is not executable"
	fi
	if test -n "${EXPECTED:-}"; then
		got=$(checksum "$binary")
		test "$got" = "$EXPECTED" || fail "refused $binary: its SHA-256 is $got, expected $EXPECTED"
	fi
	use "$binary" "as given"
fi

case "$(uname -s)/$(uname -m)" in
Linux/x86_64) platform=linux-amd64 want=${SHA256_LINUX_AMD64:-} ;;
Linux/aarch64 | Linux/arm64) platform=linux-arm64 want=${SHA256_LINUX_ARM64:-} ;;
Darwin/x86_64) platform=darwin-amd64 want=${SHA256_DARWIN_AMD64:-} ;;
Darwin/arm64) platform=darwin-arm64 want=${SHA256_DARWIN_ARM64:-} ;;
*) fail "there is no medusa-deploy for $(uname -s) on $(uname -m): use a Linux or macOS runner, amd64 or arm64" ;;
esac
if test -z "$want"; then
	fail "this commit of the action is not a release: it carries no checksum for $platform. Pin the commit of a release, or name a program by the input binary"
fi

if installed=$(command -v medusa-deploy) && test "$(checksum "$installed")" = "$want"; then
	use "$installed" "$VERSION, already on this machine"
fi

dir=${RUNNER_TEMP:?}/medusa-deploy-$VERSION
mkdir -p "$dir"
url=${MIRROR:-$RELEASES/$VERSION}/medusa-deploy-$platform
curl --fail --silent --show-error --location --proto '=https' --retry 3 --output "$dir/download" "$url" ||
	fail "cannot download $url: is the release there, and may this runner reach it? A mirror is named by the input mirror"
got=$(checksum "$dir/download")
if test "$got" != "$want"; then
	rm -f "$dir/download"
	fail "refused $url: its SHA-256 is $got, expected $want (medusa-deploy $VERSION, $platform)"
fi
chmod 0755 "$dir/download"
mv -f "$dir/download" "$dir/medusa-deploy"
use "$dir/medusa-deploy" "$VERSION, checksum verified"
