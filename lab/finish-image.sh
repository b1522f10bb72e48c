#!/bin/sh
# The last step of the lab's image, run inside it: the project's locked dependencies, and the user that ExaBGP runs as.
# $1 holds requirements.lock and the wheels, fetched on the host: the image itself never asks a package index.
set -eu

groupadd --system --gid 800 exabgp
useradd --system --uid 800 --gid 800 --no-create-home --shell /usr/sbin/nologin exabgp

python3 -m venv /opt/rri
/opt/rri/bin/pip install -q --no-index --find-links "$1" --no-deps --require-hashes -r "$1/requirements.lock"

# The project is not in the image: each node mounts the checkout at /src, so that an edit needs no new image.
site=$(/opt/rri/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo /src >"$site/rri_bgp.pth"
cat >/opt/rri/bin/rri-bgp <<'LAUNCHER'
#!/opt/rri/bin/python
from rri_bgp.cli import main

main()
LAUNCHER
chmod +x /opt/rri/bin/rri-bgp
