# Enters an image in a namespace of its own: the image below a layer in memory, and on top what a job needs of its
# node. Everything execs, so signals reach the program, and nothing outlives it; nobody becomes anybody else.
# Arguments: IMAGE (a directory or a squashfs file), BINDS (paths of the node, joined by colons), COMMAND...
set -eu
image=$1 binds=$2
shift 2
die() { echo "skiva: $*" >&2; exit 66; }
# This is root only in here; outside it is the person, whose numbers these are.
read -r _ uid _ </proc/self/uid_map
read -r _ gid _ </proc/self/gid_map
base=$SKIVA_RUN_DIR/root
mkdir -p "$base"
mount -t tmpfs -o mode=0755,nosuid,nodev skiva "$base"
mkdir -p "$base/image" "$base/upper/etc" "$base/work" "$base/root"
if [ -d "$image" ]; then
    mount --bind "$image" "$base/image"
elif [ -f "$image" ]; then
    # The low-level one costs a third of the other's processor time; both come in one package.
    mounter=$(command -v squashfuse_ll || echo squashfuse)
    setpriv --pdeathsig KILL "$mounter" -f "$image" "$base/image" &
    until mountpoint -q "$base/image"; do
        kill -0 $! 2>/dev/null || die "The image $image cannot be opened on $(uname -n)."
        sleep 0.01
    done
else
    die "The image $image is not on $(uname -n)."
fi
for file in passwd group; do
    number=$uid
    [ $file = passwd ] || number=$gid
    { cat "$base/image/etc/$file" || :; getent $file "$number" || :; } >"$base/upper/etc/$file" 2>/dev/null
done
for file in hosts resolv.conf localtime; do
    [ ! -e /etc/$file ] || cp /etc/$file "$base/upper/etc/$file"
done
here=$PWD
cd /
IFS=:
for place in /dev /proc /sys /tmp "$HOME" $binds; do
    # Made in the layer itself: through the overlay, a directory of another owner could not be written to.
    if [ -d "$place" ]; then
        mkdir -p "$base/upper$place"
    else
        mkdir -p "$base/upper${place%/*}"
        : >>"$base/upper$place"
    fi
done
mount -t overlay -o "lowerdir=$base/image,upperdir=$base/upper,workdir=$base/work,userxattr" skiva "$base/root"
for place in /dev /proc /sys /tmp "$HOME" $binds; do
    mount --rbind "$place" "$base/root$place"
done
exec unshare --user --map-user="$uid" --map-group="$gid" --root="$base/root" --wd="$here" -- "$@"
