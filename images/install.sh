#!/bin/sh
# Within the build: the environment in /opt/skiva, as its lock says, readable and not writable for everybody.
set -eu
umask 022
python3 -m venv --without-pip /opt/skiva
uv() { /build/uv pip --quiet --no-progress "$@"; }
uv install --python /opt/skiva --link-mode=copy --no-deps --require-hashes -r /build/definition/requirements.txt
if [ -s /build/definition/extra.txt ]; then # archives for CPUs, which come from elsewhere
    # shellcheck disable=SC2046 # one option each
    uv install --python /opt/skiva --link-mode=copy --no-deps --require-hashes $(cat /build/definition/source) \
        -r /build/definition/extra.txt
fi
for wheel in /build/wheel/*.whl; do
    [ ! -e "$wheel" ] || uv install --python /opt/skiva --link-mode=copy --no-deps --no-cache "$wheel"
done
rm -f /opt/skiva/.lock
# Byte code that holds however the sources' times come out of a copy. Templates among them are no Python.
/opt/skiva/bin/python -I -m compileall -qq -j 0 --invalidation-mode unchecked-hash /opt/skiva/lib || :
