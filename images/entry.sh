#!/bin/sh
# What `podman run IMAGE [COMMAND…]` starts: JupyterLab, or the command, with the rights of whoever owns the work
# folder. That is the caller where a folder of theirs is mounted there, also where the container's root is they.
set -eu
home=/home/skiva
if [ "$(id -u)" = 0 ]; then
    owner=$(stat -c %u "$home/work") group=$(stat -c %g "$home/work")
    if [ "$owner" != 0 ]; then
        # The account of the image becomes that person: their number, its name and home.
        sed -i "s/^skiva:x:[0-9]*:[0-9]*:/skiva:x:$owner:$group:/" /etc/passwd
        find "$home" -xdev -path "$home/work" -prune -o -exec chown "$owner:$group" {} +
        exec setpriv --reuid="$owner" --regid="$group" --clear-groups --bounding-set=-all -- "$0" "$@"
    fi
fi
if [ ! -w "$home" ]; then # started with --user: a number that the image does not know
    home=$(mktemp -d)
fi
export HOME="$home" USER="${USER:-skiva}"
[ $# = 0 ] || exec "$@"
root=
[ "$(id -u)" != 0 ] || root=--allow-root
# Plain Jupyter: all addresses of the container, of which `-p 127.0.0.1:8888:8888` shows one port to one machine.
exec /opt/skiva/bin/jupyter lab --ip=0.0.0.0 --port=8888 --no-browser $root
