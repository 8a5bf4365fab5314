#!/usr/bin/env bash
# The README's two commands on a Debian with nothing but git and certificates, in a clone of the last commit. Takes half an hour and
# some GB in TMPDIR, needs root, mmdebstrap, a Debian mirror and PyPI; skipped (77) without the first two.
# usage: bare_system_test.sh bookworm|trixie
set -euo pipefail
suite=$1
repository=$(cd "$(dirname "$0")/../.." && pwd)

[ "$(id -u)" -eq 0 ] || { echo "needs root" && exit 77; }
command -v mmdebstrap > /dev/null || { echo "needs mmdebstrap" && exit 77; }
# In a mount namespace of its own, so that no mount outlives it.
[ -n "${UVIC_IN_NAMESPACE:-}" ] || UVIC_IN_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$@"

root=$(mktemp -d)
trap 'umount -R "$root"/{proc,dev} 2> /dev/null; rm -rf --one-file-system "$root"' EXIT
mmdebstrap --quiet --variant=minbase --include=ca-certificates,git "$suite" "$root"
for folder in proc dev dev/pts; do mount --bind /$folder "$root/$folder"; done
# The network as it is here: its name servers, and its certificates if they are not Debian's.
cp /etc/resolv.conf "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
git -c safe.directory='*' clone --quiet --no-hardlinks "$repository" "$root/root/uvic"

inside() {
  local begin=$SECONDS
  chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    bash -c "cd /root/uvic && $1"
  echo "--- $suite: $1 took $((SECONDS - begin)) s"
}
cd /
chroot "$root" /bin/bash -c 'grep PRETTY /etc/os-release'
inside scripts/quickstart
inside scripts/test
