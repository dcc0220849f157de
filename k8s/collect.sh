#!/bin/sh
# collect.sh BIN ROOT: makes of the executables in BIN a root file system that holds them, the shared
# libraries that they need, the loader, and everybody's licence. Runs in the image's build stage.
set -eu
bin=$1 root=$2

mkdir -p "$root/usr/local/bin" "$root/usr/share/doc/greetlab"
cp "$bin"/* "$root/usr/local/bin"
cp LICENSE "$root/usr/share/doc/greetlab/copyright"

# ldd names a library as "libz.so.1 => /lib/.../libz.so.1 (0x...)" and the loader, whose path is
# written into each executable, by its path alone. Copied as the file itself to that very path.
ldd "$bin"/* | grep -o '/[^ ]*\.so[^ ]*' | sort -u | while read -r library; do
  cp --dereference --parents "$library" "$root"
  dpkg-query --search "*/${library##*/}" | cut -d: -f1
done | sort -u | while read -r package; do
  cp --dereference --parents "/usr/share/doc/$package/copyright" "$root"
done
cp --dereference --recursive --parents /usr/share/common-licenses "$root"  # to which those refer

# The same contents give the same layer, whenever they are built.
find "$root" -exec touch --no-dereference --date=@0 {} +
