# Enters an image in a namespace of its own: the image, read-only, and on top what a job needs of its node.
# Everything execs, so signals reach the program, and nothing outlives it; nobody becomes anybody else.
# Arguments: IMAGE (a directory or a squashfs file), BINDS (paths of the node, joined by colons), COMMAND...
set -euf
image=$1 binds=$2
shift 2
die() { echo "skiva: $*" >&2; exit 66; }
node=$(uname -n)
[ -d "${HOME:=}/" ] || die "The home directory $HOME is not on $node."
[ -e "$image" ] || die "The image $image is not on $node."
# This is root only in here; outside it is the person, whose numbers these are.
read -r _ uid _ </proc/self/uid_map
read -r _ gid _ </proc/self/gid_map
here=$PWD home=$(realpath "$HOME") image=$(realpath "$image")
cd /
IFS=:
# Put together on a directory that nothing is needed from; in here alone it looks different then.
# shellcheck disable=SC2086 # one path each, by IFS
used=$(realpath -m "$here" "$home" "$image" $binds)/
for base in /media /srv /mnt /opt /boot ''; do
    case "
$used" in *"
$base"[/\
]*) ;; *) [ ! -d "$base" ] || break ;; esac
done
[ "$base" ] || die "All of /media, /srv, /mnt, /opt and /boot of $node are in use; an image is entered on one of them."
mount -t tmpfs -o mode=0755,size=64m,nosuid,nodev skiva "$base"
mkdir -p "$base/image" "$base/upper/etc" "$base/work" "$base/root"
if [ -d "$image" ]; then
    mount --bind "$image" "$base/image"
else
    [ -w /dev/fuse ] || die "/dev/fuse of $node is not open to everybody (mode 0666), so no image file can be entered."
    # The low-level one costs a third of the other's processor time; both come in one package.
    mounter=$(command -v squashfuse_ll || command -v squashfuse) || die "squashfuse is not installed on $node."
    setpriv --pdeathsig KILL "$mounter" -f "$image" "$base/image" >"$base/said" 2>&1 &
    until mountpoint -q "$base/image"; do
        kill -0 $! 2>/dev/null || die "The image $image is damaged or cannot be read on $node: $(cat "$base/said")"
        sleep 0.01
    done
fi
for file in passwd group; do
    number=$uid
    [ $file = passwd ] || number=$gid
    # First, since the image may have somebody else under the same number; the node's own accounts last:
    # Slurm's commands want to know the one that slurmctld runs as.
    { getent $file "$number" || :; cat "$base/image/etc/$file" /etc/$file || :; } >"$base/upper/etc/$file" 2>/dev/null
done
for file in hosts resolv.conf localtime; do
    [ ! -e /etc/$file ] || cp /etc/$file "$base/upper/etc/$file"
done
[ "$home" != "$HOME" ] || home=
# shellcheck disable=SC2086
for place in /dev /proc /sys /tmp /var/tmp "$HOME" $home $binds; do
    [ -e "$place" ] || die "$place, which this environment is to have, is not on $node."
    # Made in the layer itself: through the overlay, a directory of another owner could not be written to.
    if [ -d "$place" ]; then
        mkdir -p "$base/upper$place"
    else
        mkdir -p "$base/upper${place%/*}"
        : >>"$base/upper$place"
    fi
done
lower=lowerdir=$base/image,upperdir=$base/upper,workdir=$base/work,userxattr
mount -t overlay -o "nosuid,nodev,$lower" skiva "$base/root"
mount -o remount,bind,ro,nosuid,nodev "$base/root"
# shellcheck disable=SC2086
for place in /dev /proc /sys /tmp /var/tmp "$HOME" $home $binds; do
    mount --rbind "$place" "$base/root$place"
done
[ -e "$base/root$1" ] || [ -L "$base/root$1" ] || die "The image $image has no $1."
[ -d "$base/root$here" ] || here=$HOME
exec unshare --user --map-user="$uid" --map-group="$gid" --root="$base/root" --wd="$here" -- "$@"
